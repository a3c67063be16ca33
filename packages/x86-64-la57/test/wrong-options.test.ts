import { hasMeaning, isFlag, isInteger, isOneOf, isRegister, wrongsOf } from '@vmarea/testkit';
import type { X8664LinuxOptions, X8664Options, X8664Registers } from '@vmarea/x86-64';
import { describe, expect, test } from 'vitest';
import { x8664La57, x8664La57FromRegisters, x8664La57Linux } from '../src/index.js';

const LINUX = { cr0: 0x80050033, cr3: 0x1000, cr4: 0x751ef0, efer: 0xd01 } as const;

describe('wrong options are refused, naming the member, by', () => {
  test('x8664La57()', () => {
    expect(
      wrongsOf<X8664Options>(
        x8664La57,
        {},
        {
          paBits: isInteger(32, 52),
          nxe: isFlag,
          page1g: isFlag,
          pat: hasMeaning(
            (value) =>
              value === undefined || (typeof value === 'bigint' && isRegister(false)(value) === true),
          ),
          encryptionBit: isInteger(32, 51),
          sharedBit: isInteger(32, 51),
          vendor: isOneOf(undefined, 'intel'),
        },
      ),
    ).toEqual([]);
  });

  test('x8664La57Linux()', () => {
    expect(
      wrongsOf<X8664LinuxOptions>(
        x8664La57Linux,
        {},
        {
          pti: isFlag,
          nx: isFlag,
          window: (value) =>
            value === undefined || (typeof value === 'object' && value !== null ? null : false),
          encryptionBit: isInteger(32, 51),
          sharedBit: isInteger(32, 51),
          guardPages: isInteger(0, 2 ** 32 - 1),
          page1g: isFlag,
        },
      ),
    ).toEqual([]);
  });

  test('x8664La57FromRegisters()', () => {
    expect(
      wrongsOf<X8664Registers>(x8664La57FromRegisters, LINUX, {
        cr0: hasMeaning(isRegister(false)),
        cr3: hasMeaning(isRegister(false)),
        cr4: hasMeaning(isRegister(false)),
        efer: hasMeaning(isRegister(false)),
        rflags: isRegister(true),
        pkru: isRegister(true, 32),
        pkrs: isRegister(true, 32),
        pat: hasMeaning(isRegister(true)),
        paBits: isInteger(32, 52),
        page1g: isFlag,
        encryptionBit: isInteger(32, 51),
        sharedBit: isInteger(32, 51),
        vendor: isOneOf(undefined, 'intel'),
      }),
    ).toEqual([]);
  });
});

test.each([
  [() => x8664La57({ pabits: 46 } as never), 'x8664La57() has no option `pabits`; did you mean `paBits`?'],
  [() => x8664La57Linux({ PTI: true } as never), 'x8664La57Linux() has no option `PTI`; did you mean `pti`?'],
  [
    () => x8664La57FromRegisters({ ...LINUX, eferr: 0 } as never),
    'x8664La57FromRegisters() has no option `eferr`; did you mean `efer`?',
  ],
])('%s names the call', (call, message) => {
  expect(call).toThrow(`EINVAL: ${message}`);
});
