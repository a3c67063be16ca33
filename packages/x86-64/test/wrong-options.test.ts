import { hasMeaning, isFlag, isInteger, isOneOf, isRegister, wrongsOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import {
  memoryTypesOf,
  type X86Geometry,
  type X86Layout,
  type X86Mode,
  type X8664LinuxOptions,
  type X8664Options,
  type X8664Registers,
  x86Format,
  x86FromRegisters,
  x86LinuxPolicy,
  x8664,
  x8664FromRegisters,
  x8664Linux,
} from '../src/index.js';

const LINUX = { cr0: 0x80050033, cr3: 0x1000, cr4: 0x750ef0, efer: 0xd01 } as const;
const LEVELS = ['PGD', 'PUD', 'PMD', 'PTE'];
const isText = (value: unknown): boolean => typeof value === 'string';

describe('wrong options are refused, naming the member, by', () => {
  test('x8664()', () => {
    expect(
      wrongsOf<X8664Options>(
        x8664,
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

  test('x8664Linux()', () => {
    expect(
      wrongsOf<X8664LinuxOptions>(
        x8664Linux,
        {},
        {
          pti: isFlag,
          nx: isFlag,
          // An object without members uses the layout's start and end.
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

  test('x8664FromRegisters()', () => {
    expect(
      wrongsOf<X8664Registers>(x8664FromRegisters, LINUX, {
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

  test('the makers of other paging modes', () => {
    expect(
      wrongsOf<X86Geometry>(
        (geometry) => x86Format(geometry),
        { name: 'five', levels: LEVELS },
        {
          name: isText,
          levels: () => false,
        },
      ),
    ).toEqual([]);
    expect(
      wrongsOf<X86Layout>(
        (layout) => x86LinuxPolicy(layout, { window: { start: 0n, end: 0x1000n } }),
        { name: 'five', vmallocStart: 0n, vmallocBytes: 0x1000n },
        {
          name: isText,
          vmallocStart: (value) => typeof value === 'bigint' && isRegister(false)(value),
          vmallocBytes: (value) => typeof value === 'bigint' && isRegister(false)(value),
          userBits: isInteger(47, 56),
        },
      ),
    ).toEqual([]);
    expect(
      wrongsOf<X86Mode>(
        (mode) => x86FromRegisters(LINUX, mode),
        { la57: false, otherwise: 'none', format: x8664 },
        {
          la57: hasMeaning((value) => typeof value === 'boolean'),
          otherwise: isText,
          // The function's author answers for its result: `() => 48` makes no usable format.
          format: (value) => (typeof value === 'function' ? 'any' : false),
          what: (value) => value === undefined || isText(value),
        },
      ),
    ).toEqual([]);
  });
});

describe('the error names a missing register', () => {
  test.each(['cr0', 'cr3', 'cr4', 'efer'] as const)('%s', (name) => {
    const { [name]: _, ...others } = LINUX;
    expect(() => x8664FromRegisters(others as X8664Registers)).toThrow(
      `EINVAL: ${name} is undefined, expected an unsigned 64-bit value; pass the register as a bigint`,
    );
  });
});

test('nxe is refused among the registers, since EFER has it', () => {
  expect(() => x8664FromRegisters({ ...LINUX, nxe: true } as never)).toThrow('no option `nxe`');
});

describe('a window', () => {
  test('may have a start or an end alone', () => {
    expect(x8664Linux({ window: { start: 0xffffd00000000000n } }).window.end).toBe(0xffffefffffffffffn);
  });

  test.each<[unknown, string]>([
    [{ start: 4096 }, 'EINVAL: window.start is 4096, expected a bigint'],
    [{ start: 0n, bytes: 1n }, 'EINVAL: the window of x8664Linux() has no option `bytes`; it has start, end'],
    [null, 'EINVAL: the options of the window of x8664Linux() are null'],
  ])('%o is refused', (window, message) => {
    expect(() => x8664Linux({ window: window as never })).toThrow(message);
  });
});

test.each([undefined, null, 6, '0x6', -1n, 1n << 64n, {}])('memoryTypesOf(%o) is refused', (pat) => {
  expect(() => memoryTypesOf(pat as never)).toThrow(/^EINVAL: pat is .+, expected a bigint/);
});
