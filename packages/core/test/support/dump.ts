import type { Protection } from '@vmarea/core';
import { protection } from '@vmarea/core';
import { machine } from '@vmarea/testkit';
import { arm64 } from '../formats/arm64.js';

export const KERNEL: Protection = protection({ write: true, global: true });
export const TEXT: Protection = protection({ execute: true, global: true });
export const USER: Protection = protection({ user: true, write: true });
export const WINDOW = 0xffff800000000000n;
export const MIB: bigint = 1n << 20n;

/** The words after the address range: what most tests are about. */
export function fields(line: string | undefined): string {
  return (line ?? 'no line').trim().split(/ +/).slice(1).join(' ');
}

/** The lines below the title. */
export function linesOf(dump: string): string[] {
  return dump.trimEnd().split('\n').slice(1);
}

/** What Linux writes into entries that point to the kernel's tables (PMD_TYPE_TABLE, PMD_TABLE_AF, PMD_TABLE_UXN). */
const KERNEL_TABLE = 0x1000000000000403n;

/** A table of Linux on arm64 with leaves of many kinds. */
export function sample() {
  const all = machine(arm64({ granule: 4, vaBits: 48 }), 64, 0n, undefined, KERNEL_TABLE);
  const { table } = all;
  table.map(WINDOW, [0x1234, 0x1235, 0x1236, 0x99], KERNEL);
  table.map(WINDOW + 0x5000n, [0x300], { ...KERNEL, dirty: false });
  table.mapRange(WINDOW + 2n * MIB, 0x40000000n, 6n * MIB, TEXT);
  table.mapRange(WINDOW + 1024n * MIB, 0xfe000000n, 3n * MIB, protection({ write: true, memory: 'device' }));
  table.map(WINDOW + 4096n * MIB, [0x500, 0x501], { ...USER, accessed: false, extra: 1n << 55n });
  table.map(0xfffffffffffff000n, [0xffffffff], protection({ read: true }));
  return all;
}
