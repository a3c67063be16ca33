import type { Access, FaultKind } from '@vmarea/core';
import { describe, expect, test } from 'vitest';
import { X8664_CONTROLS, x8664 } from '../src/index.js';

const nxe = x8664();
const plain = x8664({ nxe: false });

const read: Access = { kind: 'read', user: false };
const write: Access = { kind: 'write', user: false };
const fetch: Access = { kind: 'execute', user: false };
const asUser = (access: Access): Access => ({ ...access, user: true });

const codeOf = (format: typeof nxe, kind: FaultKind, access: Access, smep = true): string => {
  const { name, code } = format.faultCode({ kind, level: 3 }, access, { ...X8664_CONTROLS, smep });
  return `${name}(0x${code.toString(16)})`;
};

describe('the page-fault error code', () => {
  test.each([
    ['not-present', read, '#PF(0x0)'],
    ['not-present', write, '#PF(0x2)'],
    ['not-present', fetch, '#PF(0x10)'],
    ['not-present', asUser(read), '#PF(0x4)'],
    ['not-present', asUser(write), '#PF(0x6)'],
    ['not-present', asUser(fetch), '#PF(0x14)'],
    ['permission', read, '#PF(0x1)'],
    ['permission', write, '#PF(0x3)'],
    ['permission', fetch, '#PF(0x11)'],
    ['permission', asUser(read), '#PF(0x5)'],
    ['permission', asUser(write), '#PF(0x7)'],
    ['permission', asUser(fetch), '#PF(0x15)'],
    ['reserved', read, '#PF(0x9)'],
    ['reserved', write, '#PF(0xb)'],
    ['reserved', fetch, '#PF(0x19)'],
    ['reserved', asUser(write), '#PF(0xf)'],
    ['protection-key', asUser(read), '#PF(0x25)'],
    ['protection-key', asUser(write), '#PF(0x27)'],
    ['protection-key', write, '#PF(0x23)'],
  ] as [FaultKind, Access, string][])('%s, %o', (kind, access, code) => {
    expect(codeOf(nxe, kind, access)).toBe(code);
  });

  test('has I/D only with NXE or SMEP', () => {
    expect(codeOf(nxe, 'permission', fetch, false)).toBe('#PF(0x11)');
    expect(codeOf(plain, 'permission', fetch, true)).toBe('#PF(0x11)');
    expect(codeOf(plain, 'permission', fetch, false)).toBe('#PF(0x1)');
    expect(codeOf(plain, 'not-present', fetch, false)).toBe('#PF(0x0)');
  });
});

test('a non-canonical address is a general protection fault', () => {
  expect(codeOf(nxe, 'address', asUser(write))).toBe('#GP(0x0)');
});

test('a table without memory is a machine check', () => {
  expect(codeOf(nxe, 'external', read)).toBe('#MC(0x0)');
});

test.each(['access-flag', 'address-size'] as FaultKind[])('%s is no fault of x86-64', (kind) => {
  expect(() => codeOf(nxe, kind, read)).toThrow(`x86-64 raises no fault of the kind ${kind}`);
});
