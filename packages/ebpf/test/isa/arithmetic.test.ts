import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Interpreter, link, loadObject } from '../../src/index.js';
import { codeOf, EXIT, move, type Raw, wide } from '../support/code.js';
import { holds, step } from '../support/model.js';
import { runCode } from '../support/run.js';
import { programOf } from '../support/write-elf.js';

/** Values near every boundary that an operation has. */
const VALUES = [
  ...[0n, 1n, 2n, 3n, 7n, 13n, 31n, 32n, 33n, 63n, 64n, 0x7fn, 0x80n, 0xffn, 0x7fffn, 0x8000n, 0xffffn],
  ...[0x1_0000n, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn, 0x1_0000_0000n, 0x1_0000_0001n],
  ...[0x1f_ffff_ffff_ffffn, 0x20_0000_0000_0000n, 0x20_0000_0000_0001n, 0x0123_4567_89ab_cdefn],
  ...[0x7fff_ffff_ffff_ffffn, 0x8000_0000_0000_0000n, 0x8000_0000_0000_0001n, 0xffff_ffff_0000_0000n],
  ...[0xffff_ffff_7fff_ffffn, 0xffff_ffff_8000_0000n, 0xffff_ffff_ffff_fffdn, 0xffff_ffff_ffff_ffffn],
];
const IMMEDIATES = [0, 1, 2, 3, 5, 31, 32, 63, 0x7f, 0x80, 0xffff, 0x7fffffff, -1, -2, -3, -13, -0x80000000];

/** Each valid operation on registers or an immediate, with a name. */
const OPERATIONS: readonly [name: string, raw: Raw][] = [4, 7].flatMap((kind) => {
  const bits = kind === 7 ? 64 : 32;
  const plain = [0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12].flatMap((code) =>
    [0, 8].map((x) => [code, x, 0] as const),
  );
  const signed = [3, 9].flatMap((code) => [0, 8].map((x) => [code, x, 1] as const));
  const moves = (kind === 7 ? [8, 16, 32] : [8, 16]).map((off) => [11, 8, off] as const);
  return [...plain, ...signed, ...moves, [8, 0, 0] as const].map(([code, x, off]): [string, Raw] => [
    `operation ${code} of ${bits} bits on ${x === 0 ? 'an immediate' : 'a register'}, offset ${off}`,
    { op: kind | x | (code << 4), off },
  ]);
});
const SWAPS: readonly [name: string, raw: Raw][] = [0xd4, 0xdc, 0xd7].flatMap((op) =>
  [16, 32, 64].map((imm): [string, Raw] => [`opcode ${op.toString(16)}, width ${imm}`, { op, imm }]),
);

/** A program that reads two values from its context into r3 and r4. Each run of it has others. */
function onValues(...code: readonly Raw[]): (x: bigint, y: bigint) => bigint {
  const read = [8, 0].map((off): Raw => ({ op: 0x79, dst: off === 8 ? 4 : 3, src: 1, off }));
  const interpreter = new Interpreter(link(loadObject(programOf(codeOf(...read, ...code, EXIT)))));
  return (x, y) => {
    const context = new Uint8Array(new BigUint64Array([x, y]).buffer);
    return interpreter.run('main', { context }).value;
  };
}

describe('an operation gives what RFC 9669 says, for all edge values', () => {
  test.each(OPERATIONS)('%s', (_, raw) => {
    const isRegister = (raw.op & 8) !== 0;
    const isUnary = raw.op >> 4 === 8;
    const wrong: string[] = [];
    for (const imm of isRegister || isUnary ? [0] : IMMEDIATES) {
      const one = { ...raw, dst: 3, src: isRegister ? 4 : 0, imm };
      const run = onValues(one, move(0, 3));
      for (const x of VALUES) {
        for (const y of isRegister ? VALUES : [0n]) {
          const registers = [0n, 0n, 0n, x, y];
          step(registers, one);
          const value = run(x, y);
          if (value !== registers[3])
            wrong.push(`${x} with ${isRegister ? y : imm}: ${value}, not ${registers[3]}`);
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  test.each(SWAPS)('%s', (_, raw) => {
    const one = { ...raw, dst: 3 };
    const run = onValues(one, move(0, 3));
    for (const x of VALUES) {
      const registers = [0n, 0n, 0n, x];
      step(registers, one);
      expect(run(x, 0n)).toBe(registers[3]);
    }
  });

  test('a 64-bit immediate is loaded as it is', () => {
    for (const x of VALUES) expect(runCode([...wide(0, x), EXIT]).value).toBe(x);
  });
});

const CONDITIONS = [5, 6].flatMap((kind) =>
  [1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13].flatMap((code) => [0, 8].map((x) => kind | x | (code << 4))),
);

describe('a comparison jumps when RFC 9669 says so, for all edge values', () => {
  test.each(CONDITIONS.map((op) => [op.toString(16), op] as const))('opcode %s', (_, op) => {
    const isRegister = (op & 8) !== 0;
    const wrong: string[] = [];
    for (const imm of isRegister ? [0] : IMMEDIATES) {
      const jump = { op, dst: 3, src: isRegister ? 4 : 0, imm, off: 1 };
      const run = onValues({ op: 0xb7, imm: 1 }, jump, { op: 0xb7 });
      for (const x of VALUES) {
        for (const y of isRegister ? VALUES : [BigInt(imm)]) {
          const isTaken = run(x, BigInt.asUintN(64, y)) === 1n;
          if (isTaken !== holds(op, x, y)) wrong.push(`${x}, ${y}: ${isTaken}`);
        }
      }
    }
    expect(wrong).toEqual([]);
  });
});

const word = fc.oneof(
  fc.constantFrom(...VALUES),
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  fc.nat({ max: 100 }).map(BigInt),
);
const operation: fc.Arbitrary<Raw> = fc
  .record({
    which: fc.constantFrom(...OPERATIONS, ...SWAPS),
    dst: fc.nat({ max: 9 }),
    src: fc.nat({ max: 9 }),
    imm: fc.oneof(fc.constantFrom(...IMMEDIATES), fc.integer()),
  })
  .map(({ which: [, raw], dst, src, imm }) => {
    const isSwap = raw.op >> 4 === 13;
    const isRegister = (raw.op & 8) !== 0 && !isSwap;
    const hasImmediate = !isSwap && !isRegister && raw.op >> 4 !== 8;
    return {
      ...raw,
      dst,
      src: isRegister ? src : 0,
      imm: isSwap ? (raw.imm as number) : hasImmediate ? imm : 0,
    };
  });

test('a random straight program leaves the registers that the model leaves', () => {
  fc.assert(
    fc.property(
      fc.array(word, { minLength: 10, maxLength: 10 }),
      fc.array(operation, { minLength: 1, maxLength: 60 }),
      fc.nat({ max: 9 }),
      (values, operations, shown) => {
        const registers = [...values];
        for (const raw of operations) step(registers, raw);
        const result = runCode([
          ...values.flatMap((value, i) => wide(i, value)),
          ...operations,
          move(0, shown),
          EXIT,
        ]);
        expect(result).toEqual({ value: registers[shown], instructions: 10 + operations.length + 2 });
      },
    ),
    { numRuns: 1000 * Number(process.env.VMAREA_RUNS ?? 1) },
  );
});
