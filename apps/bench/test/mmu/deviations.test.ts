import { ARM64_BITS } from '@vmarea/arm64';
import { type Configuration, PageTableReader, toBigint, type Walk } from '@vmarea/core';
import { RISCV_BITS } from '@vmarea/riscv64';
import { describe, expect, it } from 'vitest';
import { installedFormats } from '../../src/formats.js';
import { addressBits, inRange } from '../../src/mmu/batch/address.js';
import { ACCESSES, PROBES, REAL_ACCESSES, WRITES } from '../../src/mmu/guest/layout.js';
import { deviationOf, tableMemory } from '../../src/mmu/judge.js';
import type { Settings, Subject, Target } from '../../src/mmu/target.js';
import { arm64Target } from '../../src/mmu/targets/arm64.js';
import { riscv64Target } from '../../src/mmu/targets/riscv64.js';

const { configurations } = await installedFormats('/');
const KERNEL_FETCH = 2;
const USER_FETCH = 5;

/** The walk of an address by no access in particular, through tables with some bits more to a page (or whatever `last` is). */
function walked(
  target: Target,
  name: string,
  settings: Settings,
  last: bigint,
  table = 0n,
): { subject: Subject; walk: Walk } {
  const configuration = configurations.find((one) => one.name === name) as Configuration;
  const subject = target.subject(configuration, settings);
  const { format, controls } = subject;
  const memory = tableMemory(target);
  const root = target.ram.banks[0]?.base ?? 0n;
  const page = 1n << BigInt(format.pageShift);
  for (let level = 0; level < format.levels.length; level++) {
    const at = root + BigInt(level) * page;
    const next = toBigint(format.tableEntry) | addressBits(format, at + page, format.pageShift) | table;
    memory.write64(at, level === format.levels.length - 1 ? last : next);
  }
  const walk = new PageTableReader({ format, memory, root }).walk(inRange(format, 0n), undefined, controls);
  return { subject, walk };
}

function met(access: number, ...[target, ...rest]: Parameters<typeof walked>): string | null {
  const { subject, walk } = walked(target, ...rest);
  const one = ACCESSES[access] as (typeof ACCESSES)[number];
  return deviationOf(target, '10.0', subject, walk, one)?.name ?? null;
}

const { AF, AP_USER, AP_READ_ONLY, DBM, PXN, UXN, AP_TABLE_READ_ONLY, AP_TABLE_NO_USER } = ARM64_BITS;
const { PXN_TABLE, UXN_TABLE } = ARM64_BITS;
const ARM64 = { paBits: 48, vaBits: 39, half: 'ttbr1', ha: true, hd: true, pan: true, epan: true };
const PAGE = 0x5000_0000n | AF | 3n;
const CLEAN = PAGE | DBM | AP_READ_ONLY;

describe('fetches from clean pages', () => {
  const name = 'fetches from clean pages that hardware may make dirty';
  const cases: [
    what: string,
    access: number,
    settings: Settings,
    leaf: bigint,
    table: bigint,
    is: boolean,
  ][] = [
    ['WXN', KERNEL_FETCH, { wxn: true }, CLEAN, 0n, true],
    ['nothing that forbids', KERNEL_FETCH, {}, CLEAN, 0n, false],
    ['a page of the user, for the kernel', KERNEL_FETCH, {}, CLEAN | AP_USER, 0n, true],
    ['the same below a table that is not', KERNEL_FETCH, {}, CLEAN | AP_USER, AP_TABLE_NO_USER, false],
    ['a page of the user, for the user', USER_FETCH, {}, CLEAN | AP_USER, 0n, false],
    ['the same with WXN', USER_FETCH, { wxn: true, hpd: true }, CLEAN | AP_USER, 0n, true],
    ['the same with E0PD', USER_FETCH, { wxn: true, hpd: true, e0pd: true }, CLEAN | AP_USER, 0n, false],
    ['the same with UXN', USER_FETCH, { wxn: true, hpd: true }, CLEAN | AP_USER | UXN, 0n, false],
    ['a page of the kernel, for the user', USER_FETCH, { wxn: true, hpd: true }, CLEAN, 0n, false],
    ['PXN', KERNEL_FETCH, { wxn: true }, CLEAN | PXN, 0n, false],
    ['PXNTable', KERNEL_FETCH, { wxn: true }, CLEAN, PXN_TABLE, false],
    ['PXNTable with HPD', KERNEL_FETCH, { wxn: true, hpd: true }, CLEAN, PXN_TABLE, true],
    ['tables that are read-only', KERNEL_FETCH, { wxn: true }, CLEAN, AP_TABLE_READ_ONLY, false],
    ['HA off', KERNEL_FETCH, { wxn: true, ha: false }, CLEAN, 0n, false],
    ['HD off', KERNEL_FETCH, { wxn: true, hd: false }, CLEAN, 0n, false],
    ['a page that is not valid', KERNEL_FETCH, { wxn: true }, CLEAN & ~1n, 0n, false],
    ['an address beyond the size', KERNEL_FETCH, { wxn: true, paBits: 36 }, CLEAN | (1n << 40n), 0n, false],
  ];
  it.each(cases)('%s', (_, access, settings, leaf, table, is) => {
    const found = met(access, arm64Target, 'arm64-4k-48', { ...ARM64, ...settings }, leaf, table);
    expect(found).toBe(is ? name : null);
  });
});

describe('WXN beside EPAN', () => {
  const cases: [
    what: string,
    access: number,
    settings: Settings,
    leaf: bigint,
    is: boolean,
    table?: bigint,
  ][] = [
    ['a page that both may execute', KERNEL_FETCH, {}, PAGE, true],
    ['EPAN off', KERNEL_FETCH, { epan: false }, PAGE, false],
    ['PAN off', KERNEL_FETCH, { pan: false }, PAGE, false],
    ['WXN off', KERNEL_FETCH, { wxn: false }, PAGE, false],
    ['the user', USER_FETCH, {}, PAGE, false],
    ['UXN', KERNEL_FETCH, {}, PAGE | UXN, false],
    ["UXNTable, which the kernel's tables have", KERNEL_FETCH, { hpd: false }, PAGE, false, UXN_TABLE],
    ['UXNTable with HPD', KERNEL_FETCH, {}, PAGE, true, UXN_TABLE],
    ['PXN', KERNEL_FETCH, {}, PAGE | PXN, false],
    ['a page of the user', KERNEL_FETCH, {}, PAGE | AP_USER, false],
    ['a page that is read-only', KERNEL_FETCH, {}, PAGE | AP_READ_ONLY, false],
    ['AF clear, HA off', KERNEL_FETCH, { ha: false }, PAGE & ~AF, false],
    ['AF clear, HA on', KERNEL_FETCH, {}, PAGE & ~AF, true],
  ];
  it.each(cases)('%s', (_, access, settings, leaf, is, table = 0n) => {
    const found = met(
      access,
      arm64Target,
      'arm64-4k-48',
      { ...ARM64, wxn: true, hpd: true, ...settings },
      leaf,
      table,
    );
    expect(found).toBe(is ? 'WXN beside EPAN' : null);
  });
});

describe('high address bits beyond a smaller output size', () => {
  const cases: [name: string, settings: Settings, leaf: bigint, is: boolean][] = [
    ['arm64-64k-52', { paBits: 48 }, PAGE | 0x1000n, true],
    ['arm64-64k-48', { paBits: 48 }, PAGE | 0x8000n, true],
    ['arm64-64k-48', { paBits: 40 }, PAGE | 0x8000n | (1n << 41n), false],
    ['arm64-64k-48', { paBits: 40 }, PAGE | (1n << 41n), false],
    ['arm64-64k-52', { paBits: 52 }, PAGE | 0xf000n, false],
    ['arm64-64k-48', { paBits: 48 }, (PAGE | 0x8000n) & ~1n, false],
    ['arm64-4k-52', { paBits: 48 }, PAGE | 0x100n, true],
    ['arm64-16k-52', { paBits: 44 }, PAGE | 0x200n | (1n << 48n), false],
    ['arm64-4k-52', { paBits: 52 }, PAGE | 0x300n, false],
    ['arm64-4k-48', { paBits: 48 }, PAGE | 0x300n, false],
  ];
  it.each(cases)('%s, %o, 0x%x', (name, settings, leaf, is) => {
    const found = met(KERNEL_FETCH, arm64Target, name, { ...ARM64, ...settings }, leaf);
    expect(found).toBe(is ? 'high address bits beyond a smaller output size' : null);
  });
});

describe('AT, where hardware sets the access flag', () => {
  const cases: [what: string, settings: Settings, leaf: bigint, mask: number][] = [
    ['HA off', { ha: false }, PAGE & ~AF, PROBES],
    ['AF clear', {}, PAGE & ~AF, 0],
    ['AF set', {}, PAGE, PROBES],
    ['a clean page', {}, CLEAN, PROBES & ~WRITES],
    ['a clean page, HD off', { hd: false }, CLEAN, PROBES],
    ['no page', {}, 0n, PROBES],
  ];
  it.each(cases)('%s', (_, settings, leaf, mask) => {
    const { subject, walk } = walked(arm64Target, 'arm64-4k-48', { ...ARM64, ...settings }, leaf);
    expect(arm64Target.mask(subject, walk)).toBe(REAL_ACCESSES | mask);
  });
});

describe('PBMT 3', () => {
  const { V, R, W, X, U, A, D, N, PBMT } = RISCV_BITS;
  const leaf = (0x9000_0000n >> 2n) | V | R | W | X | A | D | PBMT;
  const on: Settings = { svpbmt: true, sum: false, mxr: false, adue: false };
  const cases: [what: string, settings: Settings, leaf: bigint, is: boolean][] = [
    ['a page', {}, leaf, true],
    ['PBMTE off', { svpbmt: false }, leaf, false],
    ['V clear', {}, leaf & ~V, false],
    ['no leaf', {}, leaf & ~(R | W | X), false],
    ['W without R', {}, leaf & ~R, false],
    ['another reserved bit', {}, leaf | (1n << 54n), false],
    ['N without Svnapot', {}, leaf | N, false],
    ['PBMT 2', {}, leaf & ~(1n << 61n), false],
    ['a page of the user', {}, leaf | U, false],
    ['A clear', {}, leaf & ~A, false],
    ['A clear, and hardware sets it', { adue: true }, leaf & ~A, true],
  ];
  it.each(cases)('%s', (_, settings, entry, is) => {
    const found = met(KERNEL_FETCH, riscv64Target, 'riscv64-sv39', { ...on, ...settings }, entry);
    expect(found === 'PBMT 3 in a leaf').toBe(is);
  });
});
