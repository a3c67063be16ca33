import { hasMeaning, isFlag, isInteger, isOneOf, isRegister, wrongsOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import {
  type Arm64LinuxOptions,
  type Arm64Options,
  type Arm64Registers,
  arm64,
  arm64FromRegisters,
  arm64Linux,
  memoryTypesOf,
  withoutTag,
} from '../src/index.js';

const isAbsent = isOneOf(undefined);

describe('wrong options are refused, naming the member, by', () => {
  test('arm64()', () => {
    const base = { granule: 64, vaBits: 48 } as const;
    expect(
      wrongsOf<Arm64Options>(arm64, base, {
        granule: isOneOf(4, 16, 64),
        vaBits: isInteger(17, 52, false),
        half: isAbsent,
        outputBits: isOneOf(undefined, 48, 52),
        paBits: isInteger(32, 48),
        lpa: isFlag,
        mair: hasMeaning(
          (value) => value === undefined || (typeof value === 'bigint' && isRegister(false)(value)),
        ),
        shareability: isAbsent,
        contiguous: isFlag,
        // One without the other is refused.
        pir: isAbsent,
        pire0: isAbsent,
      }),
    ).toEqual([]);
    const bigint = (value: unknown): boolean =>
      typeof value === 'bigint' && BigInt.asUintN(64, value) === value;
    const both = { ...base, pir: 0n, pire0: 0n };
    expect(wrongsOf<Arm64Options>(arm64, both, { pir: bigint, pire0: bigint } as never)).toEqual([]);
    expect(() => arm64({ ...base, pir: 0n })).toThrow('EINVAL: pir is given without pire0; PIE takes both');
    expect(() => arm64({ ...base, pire0: 0n })).toThrow('EINVAL: pire0 is given without pir');
  });

  test('arm64Linux()', () => {
    const base = { granule: 4, vaBits: 52 } as const;
    expect(
      wrongsOf<Arm64LinuxOptions>(arm64Linux, base, {
        granule: isOneOf(4, 16, 64),
        vaBits: isOneOf(48, 52),
        actualVaBits: isOneOf(undefined, 48, 52),
        kpti: isFlag,
        contiguous: isFlag,
        mte: isFlag,
        softwareDirty: isFlag,
        tableAccessFlag: isFlag,
        window: isAbsent,
        guardPages: isInteger(0, 2 ** 32 - 1),
      }),
    ).toEqual([]);
  });

  test('arm64FromRegisters()', () => {
    const base = {
      tcr: 0x5001f57551b511n,
      ttbr0: 0x5621c001n,
      ttbr1: 0x16000041f2c001n,
      sctlr: 0x20000003474591dn,
    };
    expect(
      wrongsOf<Arm64Registers>(arm64FromRegisters, base, {
        tcr: hasMeaning(isRegister(false)),
        ttbr0: isRegister(true),
        ttbr1: isRegister(true),
        sctlr: hasMeaning(isRegister(false)),
        mair: hasMeaning(isRegister(true)),
        tcr2: hasMeaning(isRegister(true)),
        pir: isRegister(true),
        pire0: isRegister(true),
        porEl0: isRegister(true),
        porEl1: isRegister(true),
        pan: isFlag,
        paBits: isInteger(32, 52),
      }),
    ).toEqual([]);
  });
});

describe('a missing member is named in the error of', () => {
  test.each([
    ['arm64()', () => arm64(undefined as never), 'EINVAL: granule is undefined, expected 4, 16 or 64'],
    ['arm64({})', () => arm64({} as never), 'EINVAL: granule is undefined, expected 4, 16 or 64'],
    [
      'arm64({ granule })',
      () => arm64({ granule: 4 } as never),
      'EINVAL: vaBits is undefined, expected 16 to 52',
    ],
    [
      'arm64Linux()',
      () => arm64Linux(undefined as never),
      'EINVAL: granule is undefined, expected 4, 16 or 64',
    ],
    [
      'arm64FromRegisters({})',
      () => arm64FromRegisters({} as never),
      'EINVAL: tcr is undefined, expected an unsigned 64-bit value; pass the register as a bigint',
    ],
    [
      'arm64FromRegisters({ tcr })',
      () => arm64FromRegisters({ tcr: 0 } as never),
      'EINVAL: sctlr is undefined, expected an unsigned 64-bit value; pass the register as a bigint',
    ],
  ])('%s', (_, call, message) => {
    expect(call).toThrow(expect.objectContaining({ code: 'EINVAL', message }));
  });
});

describe('a window', () => {
  const read = (window: unknown) => arm64Linux({ granule: 16, vaBits: 47, window: window as never });

  test('has a start and an end', () => {
    expect(read({ start: 0x4000n, end: 0x8000n }).window).toEqual({ start: 0x4000n, end: 0x8000n });
    expect(() => read({ start: 0x4000n })).toThrow('EINVAL: window.end is undefined, expected a bigint');
    expect(() => read({ start: 0x4000, end: 0x8000n })).toThrow(
      'EINVAL: window.start is 16384, expected a bigint',
    );
    expect(() => read({ start: 0x4000n, end: 0x8000n, size: 1n })).toThrow(
      'EINVAL: the window of arm64Linux() has no option `size`; it has start, end',
    );
    expect(() => read(null)).toThrow('EINVAL: the options of the window of arm64Linux() are null');
  });
});

describe('wrong arguments are refused by', () => {
  test.each([undefined, null, 0x44, '0x44', -1n, 1n << 64n, {}])('memoryTypesOf(%o)', (mair) => {
    expect(() => memoryTypesOf(mair as never)).toThrow(/^EINVAL: mair is .+, expected a bigint/);
  });

  test.each([
    [undefined, {}, 'EINVAL: the address is undefined, expected a bigint'],
    [5, {}, 'EINVAL: the address is 5, expected a bigint'],
    [-1n, {}, 'ERANGE: the address -0x1 is outside 64 bits'],
    [1n << 64n, {}, 'ERANGE: the address 0x10000000000000000 is outside 64 bits'],
    [0n, { TBI: true }, 'EINVAL: arm64 has no control `TBI`; did you mean `tbi`?'],
    [0n, { tbi: 1 }, 'EINVAL: the control tbi is 1, expected true or false'],
    [0n, null, 'EINVAL: the controls of arm64 are null'],
    [0n, {}, "EINVAL: kind is 'fetch', expected read, write or execute", 'fetch'],
  ])('withoutTag(%s, %o): %s', (address, controls, message, kind = 'read') => {
    expect(() => withoutTag(address as never, controls as never, kind as never)).toThrow(message);
  });
});
