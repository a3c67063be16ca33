import type { Allowed, Words } from '@vmarea/core';
import type { SideRights } from './base-rights.js';

/** Position of POIndex (62:60) in the upper word. */
const PO_INDEX_SHIFT = 28;

const READ = 1;
const EXECUTE = 2;
const WRITE = 4;

/**
 * What a side may do in the end: its base permissions, restricted by its overlay, and by WXN.
 *
 * Where an overlay applies, a page that WXN is about keeps fetches if the overlay allows them, and loses writes. Elsewhere it
 * keeps writes, and loses fetches.
 *
 * Source: Arm ARM, D8.4, "Stage 1 Overlay permissions" and "Combining stage 1 Base permissions and Overlay permissions"; the
 * pseudocode AArch64.S1ComputePermissions.
 *
 * @param overlay - four bits of POR_ELx; `null` where no overlay applies.
 */
export function combined({ read, write, execute, wxn }: SideRights, overlay: number | null): Allowed {
  if (overlay === null) return { read, write, execute: execute && !wxn };
  const mayExecute = (overlay & EXECUTE) !== 0;
  return {
    read: read && (overlay & READ) !== 0,
    write: write && (overlay & WRITE) !== 0 && !(wxn && mayExecute),
    execute: execute && mayExecute,
  };
}

/**
 * The overlay of a leaf: what POR_ELx says at its POIndex.
 *
 * Source: Arm ARM, D8.4, "Using POIndex to determine stage 1 overlay permissions". The values from 8 on are reserved and allow
 * nothing.
 *
 * @param por - the low 32 bits of POR_ELx; a 64-bit entry reaches no others.
 */
export function overlayOf(leaf: Words, por: number): number {
  const bits = (por >>> (4 * ((leaf.hi >>> PO_INDEX_SHIFT) & 7))) & 15;
  return bits < 8 ? bits : 0;
}
