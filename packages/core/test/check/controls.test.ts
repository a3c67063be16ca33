import { describe, expect, test } from 'vitest';
import { completeControls } from '../../src/check/controls.js';
import { VmError } from '../../src/errors.js';

interface Controls {
  readonly pan: boolean;
  readonly pkru: number;
  readonly key: bigint;
  readonly mode: string;
}

const KNOWN: Controls = Object.freeze({ pan: true, pkru: 0x55555554, key: 1n, mode: 'kernel' });
const complete = (given: unknown, known = KNOWN) => completeControls(known, given as Controls, 'arch');

describe('completed controls', () => {
  test('are the defaults when none are given', () => {
    expect(complete(undefined)).toBe(KNOWN);
    expect(complete({})).toEqual(KNOWN);
    expect(complete({ pan: undefined })).toEqual(KNOWN);
  });

  test('have the default for each missing member, in a frozen copy', () => {
    const given = { pan: false, pkru: 0xffffffff };
    const whole = complete(given);
    given.pan = true;
    expect(whole).toEqual({ ...KNOWN, pan: false, pkru: 0xffffffff });
    expect(Object.isFrozen(whole)).toBe(true);
    expect(KNOWN.pan).toBe(true);
  });

  test('are the same object when they were completed before', () => {
    const whole = complete({ pan: false });
    expect(complete(whole)).toBe(whole);
    const opened = complete({ pan: false, mode: 'guest' });
    expect(complete(whole, opened)).toBe(whole);
    expect(complete(KNOWN, opened)).toBe(KNOWN);
  });

  test('start from the controls that the table was opened with', () => {
    const opened = complete({ pan: false });
    expect(complete({ key: 2n }, opened)).toEqual({ ...KNOWN, pan: false, key: 2n });
  });

  test('are refused when they are of another format', () => {
    const other = completeControls({ sum: false }, { sum: true }, 'other');
    expect(() => complete(other)).toThrow('EINVAL: arch has no control `sum`; it has pan, pkru, key, mode');
  });
});

describe('wrong controls are refused', () => {
  test.each([
    [{ PAN: true }, 'EINVAL: arch has no control `PAN`; did you mean `pan`?'],
    [{ pann: true }, 'EINVAL: arch has no control `pann`; did you mean `pan`?'],
    [{ toString: true }, 'EINVAL: arch has no control `toString`; it has pan, pkru, key, mode'],
    [null, 'EINVAL: the controls of arch are null; pass an object with any of pan, pkru, key, mode'],
    [5, 'EINVAL: the controls of arch are 5'],
    [['pan'], 'EINVAL: the controls of arch are an array'],
    [{ pan: 1 }, 'EINVAL: the control pan is 1, expected true or false'],
    [{ pan: null }, 'EINVAL: the control pan is null, expected true or false'],
    [{ pkru: -1 }, 'EINVAL: the control pkru is -1, expected 0 to 0xffffffff'],
    [{ pkru: 2 ** 32 }, 'EINVAL: the control pkru is 4294967296, expected 0 to 0xffffffff'],
    [{ pkru: 0.5 }, 'EINVAL: the control pkru is 0.5'],
    [{ pkru: Number.NaN }, 'EINVAL: the control pkru is NaN'],
    [{ pkru: 1n }, 'EINVAL: the control pkru is 1n'],
    [{ key: 1 }, 'EINVAL: the control key is 1, expected an unsigned 64-bit bigint'],
    [{ key: -1n }, 'EINVAL: the control key is -1n'],
    [{ key: 1n << 64n }, 'EINVAL: the control key is 0x10000000000000000n'],
    [{ mode: 1 }, 'EINVAL: the control mode is 1, expected text'],
  ])('%o', (given, message) => {
    expect(() => complete(given)).toThrow(VmError);
    expect(() => complete(given)).toThrow(message);
  });
});
