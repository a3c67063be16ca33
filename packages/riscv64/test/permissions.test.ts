import { type Access, type FaultKind, type Words, words } from '@vmarea/core';
import { hex, pathOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { RISCV64_CONTROLS, riscv64 } from '../src/index.js';

const format = riscv64();
const TABLE = 0x20000401n;
const AD = 0xc0n;

/** The permissions of a leaf: `rwx` of the kernel, then of the user. */
function rights(leaf: bigint, controls: Partial<typeof RISCV64_CONTROLS> = {}): string {
  const path = pathOf(TABLE, TABLE, TABLE, leaf);
  const all = { ...RISCV64_CONTROLS, ...controls };
  const { kernel, user } = format.permissions(path, all);
  const letters = ({ read, write, execute }: typeof kernel) =>
    `${read ? 'r' : '-'}${write ? 'w' : '-'}${execute ? 'x' : '-'}`;
  // `check` agrees for a page with A and D set.
  for (const [side, allowed] of [
    [false, kernel],
    [true, user],
  ] as const) {
    for (const kind of ['read', 'write', 'execute'] as const) {
      const fault = format.check(pathOf(TABLE, TABLE, TABLE, leaf | AD), { kind, user: side }, all);
      expect(fault).toEqual(allowed[kind] ? null : { kind: 'permission', level: 3 });
    }
  }
  return `${letters(kernel)} ${letters(user)}`;
}

describe('the permissions of a leaf', () => {
  test.each([
    // V, R, W, X, U in binary, from the right.
    [0b00011n, {}, 'r-- ---'],
    [0b00111n, {}, 'rw- ---'],
    [0b01011n, {}, 'r-x ---'],
    [0b01111n, {}, 'rwx ---'],
    [0b01001n, {}, '--x ---'],
    [0b10011n, {}, '--- r--'],
    [0b11111n, {}, '--- rwx'],
    [0b11001n, {}, '--- --x'],
    // SUM: loads and stores, never fetches.
    [0b11111n, { sum: true }, 'rw- rwx'],
    [0b10011n, { sum: true }, 'r-- r--'],
    [0b01111n, { sum: true }, 'rwx ---'],
    // MXR: loads may use executable pages.
    [0b01001n, { mxr: true }, 'r-x ---'],
    [0b11001n, { mxr: true }, '--- r-x'],
    [0b11001n, { mxr: true, sum: true }, 'r-- r-x'],
  ])('%s under %o: %s', (leaf, controls, expected) => {
    expect(rights(leaf, controls)).toBe(expected);
  });

  test('entries that point to tables forbid nothing', () => {
    const path = pathOf(0x20000421n, TABLE, 0x20000701n, 0x7n);
    expect(format.permissions(path, RISCV64_CONTROLS).kernel).toEqual({
      read: true,
      write: true,
      execute: false,
    });
  });
});

describe('accessed and dirty', () => {
  const access = (kind: Access['kind']): Access => ({ kind, user: false });
  test.each<[bigint, Access['kind'], FaultKind | null, string]>([
    [0x0fn, 'read', 'access-flag', '0x000000000000004f'],
    [0x0fn, 'execute', 'access-flag', '0x000000000000004f'],
    [0x0fn, 'write', 'access-flag', '0x00000000000000cf'],
    [0x4fn, 'read', null, '0x000000000000004f'],
    [0x4fn, 'write', 'access-flag', '0x00000000000000cf'],
    [0x8fn, 'write', 'access-flag', '0x00000000000000cf'],
    [0xcfn, 'write', null, '0x00000000000000cf'],
  ])('%s, %s: %s with Svade, %s with Svadu', (leaf, kind, fault, after) => {
    const path = pathOf(TABLE, TABLE, TABLE, leaf);
    const [entry] = pathOf(leaf);
    if (entry === undefined) throw new Error('no entry');
    expect(format.check(path, access(kind), RISCV64_CONTROLS)?.kind ?? null).toBe(fault);
    expect(format.touch(entry, 3, 'leaf', access(kind), RISCV64_CONTROLS)).toBe(entry);
    const svadu = { ...RISCV64_CONTROLS, adue: true };
    expect(format.check(path, access(kind), svadu)).toBeNull();
    expect(hex(format.touch(entry, 3, 'leaf', access(kind), svadu))).toBe(after);
    if (hex(entry) === after) expect(format.touch(entry, 3, 'leaf', access(kind), svadu)).toBe(entry);
  });

  test('change in no table entry', () => {
    const [entry] = pathOf(TABLE);
    if (entry === undefined) throw new Error('no entry');
    const svadu = { ...RISCV64_CONTROLS, adue: true };
    expect(format.touch(entry, 1, 'table', access('write'), svadu)).toBe(entry);
  });

  test('fault after a missing permission does', () => {
    const path = pathOf(TABLE, TABLE, TABLE, 0x3n);
    expect(format.check(path, access('write'), RISCV64_CONTROLS)).toEqual({ kind: 'permission', level: 3 });
  });
});

describe('the code of a fault', () => {
  const code = (kind: FaultKind, access: Access['kind']) =>
    format.faultCode({ kind, level: 1 }, { kind: access, user: true }, RISCV64_CONTROLS);
  test.each<[FaultKind, number, number, number]>([
    ['address', 12, 13, 15],
    ['not-present', 12, 13, 15],
    ['reserved', 12, 13, 15],
    ['permission', 12, 13, 15],
    ['access-flag', 12, 13, 15],
    ['external', 1, 5, 7],
  ])('%s: %d, %d, %d', (kind, execute, read, write) => {
    expect(code(kind, 'execute')).toEqual({ name: 'scause', code: execute });
    expect(code(kind, 'read')).toEqual({ name: 'scause', code: read });
    expect(code(kind, 'write')).toEqual({ name: 'scause', code: write });
  });

  test.each(['address-size', 'protection-key'] as const)('riscv64 raises no %s fault', (kind) => {
    expect(() => code(kind, 'read')).toThrow(`EINVAL: riscv64 raises no fault of the kind ${kind}`);
  });
});

test('G in any entry of a path makes the translation global', () => {
  const [global, own] = [words(0x21n), words(0x01n)];
  const isGlobal = (path: Words[]) => format.isGlobal?.(path, RISCV64_CONTROLS);
  expect([isGlobal([own, own, own]), isGlobal([global, own, own]), isGlobal([own, own, global])]).toEqual([
    ...[false, true, true],
  ]);
});
