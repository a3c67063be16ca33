import { type Words, words } from '@vmarea/core';
import type { BaseRights, SideRights } from './base-rights.js';
import { ARM64_BITS } from './bits.js';
import type { Arm64Controls } from './controls.js';

const AP_USER = words(ARM64_BITS.AP_USER).lo;
const AP_READ_ONLY = words(ARM64_BITS.AP_READ_ONLY).lo;
const DBM = words(ARM64_BITS.DBM).hi;
const PXN = words(ARM64_BITS.PXN).hi;
const UXN = words(ARM64_BITS.UXN).hi;
const PXN_TABLE = words(ARM64_BITS.PXN_TABLE).hi;
const UXN_TABLE = words(ARM64_BITS.UXN_TABLE).hi;
const NO_USER_TABLE = words(ARM64_BITS.AP_TABLE_NO_USER).hi;
const READ_ONLY_TABLE = words(ARM64_BITS.AP_TABLE_READ_ONLY).hi;

/** True when hardware makes the leaf dirty on a write. Then it is writable, whatever AP[2] is. */
export function isHardwareDirty(leaf: Words, { ha, hd }: Arm64Controls): boolean {
  return ha && hd && (leaf.hi & DBM) !== 0;
}

/**
 * What the entries of a walk allow by themselves: AP[2:1], UXN and PXN of the leaf, and what the tables above it take.
 *
 * Source: Arm ARM, D8.4, "Stage 1 Direct permissions": data accesses; hierarchical control, which overlays turn off; "memory
 * that EL0 may write is not executable at EL1"; WXN; PAN.
 */
export function directRights(path: readonly Words[], controls: Arm64Controls): BaseRights {
  const leaf = path[path.length - 1] as Words;
  const { wxn } = controls;
  let tables = 0;
  if (!(controls.hpd || controls.poe || controls.e0poe))
    for (let i = 0; i < path.length - 1; i++) tables |= (path[i] as Words).hi;

  const mayWrite = (leaf.lo & AP_READ_ONLY) === 0 || isHardwareDirty(leaf, controls);
  const write = mayWrite && (tables & READ_ONLY_TABLE) === 0;
  const user = (leaf.lo & AP_USER) !== 0 && (tables & NO_USER_TABLE) === 0;
  const userWrite = user && write;
  const userExecute = (leaf.hi & UXN) === 0 && (tables & UXN_TABLE) === 0;
  const kernelExecute = (leaf.hi & PXN) === 0 && (tables & PXN_TABLE) === 0 && !userWrite;
  const isGuarded = controls.pan && (user || (controls.epan && userExecute));
  return {
    // PAN takes data accesses alone: WXN still counts the page as writable.
    kernel: side(!isGuarded, !isGuarded && write, kernelExecute, wxn && write && kernelExecute),
    user: side(user, userWrite, userExecute, wxn && userWrite && userExecute),
  };
}

function side(read: boolean, write: boolean, execute: boolean, wxn: boolean): SideRights {
  return { read, write, execute, wxn, overlaid: true };
}
