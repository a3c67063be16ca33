import { hasMeaning, isFlag, isInteger, isOneOf, isRegister, wrongsOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import {
  type Riscv64LinuxOptions,
  type Riscv64Options,
  type Riscv64Registers,
  riscv64,
  riscv64FromRegisters,
  riscv64Linux,
} from '../src/index.js';

describe('wrong options are refused, naming the member, by', () => {
  test('riscv64()', () => {
    expect(
      wrongsOf<Riscv64Options>(
        riscv64,
        {},
        {
          mode: isOneOf(undefined, 'sv39'),
          svnapot: isFlag,
          svpbmt: isFlag,
          paBits: isInteger(32, 56),
          svrsw60t59b: isFlag,
          thead: (value) => (value === undefined || typeof value === 'boolean' ? null : false),
        },
      ),
    ).toEqual([]);
  });

  test('riscv64Linux()', () => {
    expect(
      wrongsOf<Riscv64LinuxOptions>(
        riscv64Linux,
        {},
        {
          mode: isOneOf(undefined, 'sv39'),
          napot: isFlag,
          svpbmt: isFlag,
          // None of the other values leaves room for the window.
          pageOffset: isOneOf(undefined),
          guardPages: isInteger(0, 2 ** 32 - 1),
        },
      ),
    ).toEqual([]);
  });

  test('riscv64FromRegisters()', () => {
    expect(
      wrongsOf<Riscv64Registers>(
        riscv64FromRegisters,
        { satp: 9n << 60n },
        {
          satp: hasMeaning(isRegister(false)),
          sstatus: isRegister(true),
          menvcfg: hasMeaning(isRegister(true)),
          svnapot: isFlag,
          paBits: isInteger(32, 56),
          senvcfg: hasMeaning(isRegister(true)),
          svrsw60t59b: isFlag,
          thead: isFlag,
        },
      ),
    ).toEqual([]);
  });
});

test.each([
  [() => riscv64({ mod: 'sv39' } as never), 'riscv64() has no option `mod`; did you mean `mode`?'],
  [() => riscv64('sv39' as never), "the options of riscv64() are 'sv39'; pass an object with any of mode,"],
  [
    () => riscv64FromRegisters({ stap: 1n } as never),
    'riscv64FromRegisters() has no option `stap`; did you mean `satp`?',
  ],
  [
    () => riscv64FromRegisters({} as never),
    'satp is undefined, expected an unsigned 64-bit value; pass the register as a bigint',
  ],
])('%s is refused', (call, message) => {
  expect(call).toThrow(`EINVAL: ${message}`);
});
