import { describe, expect, test } from 'vitest';
import { Interpreter, link, loadObject } from '../../src/index.js';
import { codeOf, EXIT, move, type Raw, set } from '../support/code.js';
import { context } from '../support/objects.js';
import { faultOf, runCode } from '../support/run.js';
import { writeElf } from '../support/write-elf.js';

/** r0 += value. */
const add = (value: number): Raw => ({ op: 0x07, imm: value });

describe('a jump', () => {
  test('of 32 bits goes further than 16 bits tell, in both directions', () => {
    const far = 40_000;
    const between = Array.from({ length: far }, () => add(1));
    // Forward over all additions, back to the last thousand of them, and forward again to the exit.
    const code = [set(0, 0), { op: 0x06, imm: far + 1 }, ...between, { op: 0x05, off: 1 }];
    const back = { op: 0x06, imm: -(1000 + 2) };
    expect(runCode([...code, back, EXIT])).toEqual({ value: 1000n, instructions: 2 + 1 + 1000 + 1 + 1 });
  });

  test('of 16 bits goes 32,767 instructions forward and 32,768 back', () => {
    const between = Array.from({ length: 32_766 }, () => add(1));
    const code = [set(0, 0), { op: 0x05, off: 32_767 }, EXIT, ...between, { op: 0x05, off: -32_768 }];
    expect(runCode(code)).toEqual({ value: 0n, instructions: 4 });
  });

  test('of a comparison takes the branch by 32 bits or 64 bits', () => {
    // r1 is 2^32: its low 32 bits are 0.
    const isZero = (op: number): bigint =>
      runCode([set(1, 1), { op: 0x67, dst: 1, imm: 32 }, set(0, 1), { op, dst: 1, off: 1 }, set(0, 0), EXIT])
        .value;
    expect([isZero(0x15), isZero(0x16)]).toEqual([0n, 1n]);
  });
});

describe('an operation', () => {
  const least = 1n << 63n;
  test.each([
    ['of 64 bits, signed, divides the least number by -1', 0x3f, 1, least, 2n ** 64n - 1n, least],
    ['of 64 bits, signed, has no remainder of the least number by -1', 0x9f, 1, least, 2n ** 64n - 1n, 0n],
    ['of 64 bits, signed, divides by 0 to 0', 0x3f, 1, 2n ** 64n - 13n, 0n, 0n],
    [
      'of 64 bits, signed, leaves a number as the remainder by 0',
      0x9f,
      1,
      2n ** 64n - 13n,
      0n,
      2n ** 64n - 13n,
    ],
    [
      'of 64 bits, signed, has a remainder with the sign of the number',
      0x9f,
      1,
      2n ** 64n - 13n,
      3n,
      2n ** 64n - 1n,
    ],
    [
      'of 32 bits, signed, divides the least number by -1',
      0x3c,
      1,
      0x8000_0000n,
      2n ** 64n - 1n,
      0x8000_0000n,
    ],
    [
      'of 32 bits, signed, has no remainder of the least number by -1',
      0x9c,
      1,
      0x8000_0000n,
      0xffff_ffffn,
      0n,
    ],
    ['of 32 bits, signed, divides by 0 to 0', 0x3c, 1, 7n << 32n, 5n << 32n, 0n],
    ['of 32 bits clears the upper half of a remainder by 0', 0x9c, 0, (7n << 32n) | 9n, 5n << 32n, 9n],
    [
      'of 32 bits, signed, clears the upper half of a remainder by 0',
      0x9c,
      1,
      (7n << 32n) | 9n,
      5n << 32n,
      9n,
    ],
    ['of 64 bits shifts left by the low 6 bits', 0x6f, 0, 3n, 64n + 62n, (3n << 62n) & (2n ** 64n - 1n)],
    ['of 64 bits shifts right by the low 6 bits', 0x7f, 0, least, 64n + 63n, 1n],
    ['of 64 bits shifts right, signed, by the low 6 bits', 0xcf, 0, least, 64n + 63n, 2n ** 64n - 1n],
    ['of 32 bits shifts left by the low 5 bits', 0x6c, 0, 3n, 32n + 31n, 0x8000_0000n],
    ['of 32 bits shifts right by the low 5 bits', 0x7c, 0, 2n ** 64n - 1n, 32n + 31n, 1n],
    [
      'of 32 bits shifts right, signed, and clears the upper half',
      0xcc,
      0,
      0x8000_0000n,
      32n + 31n,
      0xffff_ffffn,
    ],
    ['of 64 bits moves 8 bits, signed', 0xbf, 8, 0n, 0x180n, 2n ** 64n - 128n],
    ['of 64 bits moves 32 bits, signed', 0xbf, 32, 0n, 0x8000_0000n, 0xffff_ffff_8000_0000n],
    [
      'of 32 bits moves 16 bits, signed, and clears the upper half',
      0xbc,
      16,
      2n ** 64n - 1n,
      0x8000n,
      0xffff_8000n,
    ],
  ] as [string, number, number, bigint, bigint, bigint][])('%s', (_, op, off, x, y, expected) => {
    const load = [8, 0].map((at): Raw => ({ op: 0x79, dst: at === 8 ? 2 : 0, src: 1, off: at }));
    const code = [...load, { op, dst: 0, src: 2, off }, EXIT];
    expect(runCode(code, { context: context(x, y) }).value).toBe(expected);
  });
});

describe('may_goto', () => {
  test('counts all of one function together', () => {
    // Two loops, the first one of 30 rounds: what it takes, the second one has not.
    const code: Raw[] = [
      ...[set(0, 0), set(2, 0)],
      ...[{ op: 0xe5, off: 3 }, add(1), { op: 0x07, dst: 2, imm: 1 }, { op: 0xa5, dst: 2, off: -4, imm: 30 }],
      ...[{ op: 0xe5, off: 2 }, add(1), { op: 0x05, off: -3 }, EXIT],
    ];
    const rounds = (loops: number): bigint => runCode(code, { interpreter: { loops } }).value;
    expect([100, 30, 7, 0].map(rounds)).toEqual([100n, 30n, 7n, 0n]);
  });
});

describe('the stack', () => {
  /** Functions that call each other: each stores its number at both ends of its frame, and adds them up after the call. */
  function chain(count: number, lowest = -512): Interpreter {
    const one = (number: number): Raw[] => [
      { op: 0x7a, dst: 10, off: -8, imm: number },
      { op: 0x7a, dst: 10, off: lowest, imm: number * 100 },
      set(0, 0),
      ...(number === count ? [] : [{ op: 0x85, src: 1, imm: 5 }]),
      { op: 0x79, dst: 1, src: 10, off: -8 },
      { op: 0x0f, dst: 0, src: 1 },
      { op: 0x79, dst: 1, src: 10, off: lowest },
      { op: 0x0f, dst: 0, src: 1 },
      EXIT,
    ];
    const bodies = Array.from({ length: count }, (_, i) => one(i + 1));
    const bytes = codeOf(...bodies.flat());
    let at = 0;
    const symbols = bodies.map((body, i) => {
      const symbol = { name: `f${i}`, section: 'syscall', value: at, size: body.length * 8, type: 2 };
      at += body.length * 8;
      return { ...symbol, binding: i === 0 ? 1 : 0 };
    });
    return new Interpreter(link(loadObject(writeElf([{ name: 'syscall', bytes, flags: 6 }], symbols))));
  }

  test('has 8 frames of 512 bytes, and a call keeps all of those of its callers', () => {
    expect(chain(8).run('f0').value).toBe(36n * 101n);
    expect(faultOf(() => chain(9).run('f0'))).toBe('frames: more than 8 calls are within each other');
    expect(faultOf(() => chain(1, -520).run('f0'))).toBe(
      'access: the access leaves the stack frame of 512 bytes',
    );
  });

  test('is read by another register up to its lowest byte, and not below it', () => {
    const at = (off: number): string =>
      faultOf(() => runCode([move(2, 10), { op: 0x71, dst: 0, src: 2, off }, EXIT]));
    expect(at(-512)).toBe('done');
    expect(at(-513)).toBe('access: 1 bytes at r10 - 513 are in no frame');
    expect(at(0)).toBe('access: 1 bytes at r10 + 0 are in no frame');
  });
});
