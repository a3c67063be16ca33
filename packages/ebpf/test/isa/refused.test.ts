import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Interpreter, link, loadObject, type ProgramFault } from '../../src/index.js';
import { codeOf, EXIT, move, type Raw, set, wide } from '../support/code.js';
import { context } from '../support/objects.js';
import { faultOf, runCode } from '../support/run.js';
import { writeElf } from '../support/write-elf.js';

/** The opcodes of ISA v4 (RFC 9669, appendix A, and may_goto), by hand. */
const VALID = new Set<number>([0x18, 0x05, 0x06, 0x85, 0x95, 0xe5, 0x84, 0x87, 0xd4, 0xdc, 0xd7]);
for (const kind of [4, 7]) {
  for (const code of [0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12])
    for (const x of [0, 8]) VALID.add(kind | x | (code << 4));
}
for (const kind of [5, 6]) {
  for (const code of [1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13])
    for (const x of [0, 8]) VALID.add(kind | x | (code << 4));
}
for (const size of [0, 8, 0x10, 0x18]) for (const kind of [0x61, 0x62, 0x63]) VALID.add(kind | size);
for (const size of [0, 8, 0x10]) VALID.add(0x81 | size);
/** Atomics: what they do is in the immediate, and 8 and 16 bits have two of them. */
for (const size of [0, 8, 0x10, 0x18]) VALID.add(0xc3 | size);

const every = Array.from({ length: 256 }, (_, op) => op);

test.each(every.filter((op) => !VALID.has(op)))('opcode %i is refused, whatever its fields are', (op) => {
  for (const fields of [{}, { imm: 1 }, { imm: 16 }, { off: 1 }, { src: 1 }]) {
    expect(faultOf(() => runCode([set(0, 0), { op, ...fields }, EXIT]))).toMatch(/^instruction: /);
  }
});

test('all other opcodes are run', () => {
  const acceptable: Record<number, Partial<Raw>> = { 212: { imm: 16 }, 220: { imm: 32 }, 215: { imm: 64 } };
  const refused = [...VALID].filter((op) => {
    if (op === 0x85 || op === 0x18) return false;
    const isMemory = (op & 7) >= 1 && (op & 7) <= 3;
    const isAtomic = (op & 0xe7) === 0xc3;
    const fields = isAtomic
      ? { dst: 0, src: 1, imm: 0x100 }
      : isMemory
        ? (op & 7) === 1
          ? { dst: 0, src: 1 }
          : { dst: 1 }
        : (acceptable[op] ?? {});
    return (
      faultOf(() => runCode([set(0, 0), { op, ...fields }, set(0, 0), EXIT], { context: context(0, 0) })) !==
      'done'
    );
  });
  expect(refused).toEqual([]);
});

const REFUSED: readonly [what: string, code: readonly Raw[], why: string][] = [
  ['a register above r10', [{ op: 0xb7, dst: 11 }, EXIT], 'there is no register r11'],
  ['a source above r10', [set(0, 0), { op: 0x0f, src: 12 }, EXIT], 'there is no register r12'],
  ['a write to r10', [{ op: 0xb7, dst: 10 }, EXIT], 'the frame pointer is read-only'],
  ['a load into r10', [{ op: 0x79, dst: 10, src: 10, off: -8 }, EXIT], 'the frame pointer is read-only'],
  ['LDIMM64 into r10', [...wide(10, 0n), EXIT], 'the frame pointer is read-only'],
  [
    'a fetch into r10',
    [{ op: 0xdb, dst: 10, src: 10, off: -8, imm: 1 }, EXIT],
    'the frame pointer is read-only',
  ],
  ['an immediate beside a register', [set(0, 0), { op: 0x0f, imm: 1 }, EXIT], 'the immediate is not 0'],
  ['a source beside an immediate', [set(0, 0), { op: 0x07, src: 1 }, EXIT], 'the source register is not 0'],
  [
    'an offset of an addition',
    [set(0, 0), { op: 0x07, off: 1 }, EXIT],
    'the offset is 1, which means nothing here',
  ],
  [
    'a division with offset 2',
    [set(0, 1), { op: 0x37, imm: 1, off: 2 }, EXIT],
    'the offset is 2, which means nothing here',
  ],
  [
    'a 32-bit move of 32 bits',
    [set(0, 0), { op: 0xbc, off: 32 }, EXIT],
    'the offset is 32, which means nothing here',
  ],
  [
    'a signed move of an immediate',
    [{ op: 0xb7, off: 8 }, EXIT],
    'the offset is 8, which means nothing here',
  ],
  ['a swap of 8 bits', [set(0, 0), { op: 0xd7, imm: 8 }, EXIT], 'the width is 8, expected 16, 32 or 64'],
  ['a swap with a source', [set(0, 0), { op: 0xd7, imm: 16, src: 1 }, EXIT], 'reserved fields are not 0'],
  ['a negation with an immediate', [set(0, 0), { op: 0x87, imm: 1 }, EXIT], 'reserved fields are not 0'],
  [
    'a cast to a third address space',
    [set(0, 0), { op: 0xbf, off: 1, imm: 2 }, EXIT],
    'there is no cast 2, expected 1 or 0x10000',
  ],
  [
    'a cast without an arena',
    [set(0, 0), { op: 0xbf, off: 1, imm: 1 }, EXIT],
    'there is a cast of address spaces, but no arena',
  ],
  [
    'a jump before the function',
    [set(0, 0), { op: 0x05, off: -3 }, EXIT],
    'the jump leads out of the function',
  ],
  [
    'a jump behind the function',
    [set(0, 0), { op: 0x05, off: 1 }, EXIT],
    'the jump leads out of the function',
  ],
  [
    'a long jump behind it',
    [set(0, 0), { op: 0x06, imm: 100_000 }, EXIT],
    'the jump leads out of the function',
  ],
  ['a may_goto behind it', [set(0, 0), { op: 0xe5, off: 5 }, EXIT], 'the jump leads out of the function'],
  [
    'a jump into LDIMM64',
    [{ op: 0x05, off: 1 }, ...wide(0, 1n), EXIT],
    'the jump leads into the middle of an instruction',
  ],
  ['the end without an exit', [set(0, 0)], 'the function has no exit here'],
  ['a branch to the end', [set(0, 0), { op: 0x15, off: 0, imm: 0 }], 'the jump leads out of the function'],
  ['half of LDIMM64', [{ op: 0x18 }], 'the second half is missing'],
  ['LDIMM64 with a wrong second half', [{ op: 0x18 }, { op: 0x18 }, EXIT], 'reserved fields are not 0'],
  [
    'LDIMM64 of a map by number',
    [...wide(0, 1n, 1), EXIT],
    'it refers to something that no relocation names',
  ],
  [
    'an atomic change of 16 bits',
    [set(0, 0), { op: 0xcb, dst: 1 }, EXIT],
    'an atomic operation of 2 bytes is refused',
  ],
  [
    'an unknown atomic operation',
    [set(0, 0), { op: 0xdb, dst: 1, imm: 0x10 }, EXIT],
    'there is no atomic operation 16',
  ],
  ['a call by register', [set(0, 0), { op: 0x8d }, EXIT], 'calls by register are refused'],
  ['a call of nothing', [{ op: 0x85, src: 1, imm: 5 }, EXIT], 'the call goes to no function'],
  ['a call into itself', [{ op: 0x85, src: 1, imm: 0 }, EXIT], 'the call goes to no function'],
  ['a kfunc by number', [{ op: 0x85, src: 2, imm: 7 }, EXIT], 'there is no function 7 of the kernel'],
  ['a helper that is not there', [{ op: 0x85, imm: 1 }, EXIT], 'there is no helper 1'],
];

describe('an instruction that a verifier refuses ends the run', () => {
  test.each(REFUSED)('%s', (_, code, why) => {
    expect(faultOf(() => runCode(code))).toBe(`instruction: ${why}`);
  });

  test('and what is never reached does no harm', () => {
    expect(runCode([set(0, 5), EXIT, { op: 0xff }]).value).toBe(5n);
  });
});

describe('a register that nothing was written to', () => {
  const message = (register: number): string =>
    `register: r${register} is read, but nothing was written to it`;
  test.each([
    ['r0 at the exit', [EXIT], 0],
    ['the source of a move', [move(0, 2), EXIT], 2],
    ['the destination of an addition', [{ op: 0x07, dst: 3, imm: 1 }, EXIT], 3],
    ['one that is cleared by itself', [{ op: 0xaf, dst: 4, src: 4 }, EXIT], 4],
    ['the base of a load', [{ op: 0x79, src: 5 }, EXIT], 5],
    ['the value of a store', [{ op: 0x7b, dst: 10, src: 6, off: -8 }, EXIT], 6],
    ['a compared one', [set(0, 0), { op: 0x1d, dst: 0, src: 7, off: 0 }, EXIT], 7],
    ['an argument after a call', [{ op: 0x85, imm: 1 }, move(0, 1), EXIT], 1],
  ] as [string, Raw[], number][])('ends the run: %s', (_, code, register) => {
    const helpers = { 1: () => {} };
    expect(faultOf(() => runCode(code, { interpreter: { helpers } }))).toBe(message(register));
  });

  // r2 is written on one of two paths.
  const onOnePath = [
    { op: 0x79, dst: 3, src: 1 },
    { op: 0x15, dst: 3, off: 1, imm: 0 },
    set(2, 77),
    move(0, 2),
    EXIT,
  ];
  test('ends the run on the path that left it out, and on that alone', () => {
    expect(runCode(onOnePath, { context: context(1) }).value).toBe(77n);
    expect(faultOf(() => runCode(onOnePath, { context: context(0) }))).toBe(message(2));
  });

  test('is found in each round of a loop, after a call has overwritten it', () => {
    const code = [
      ...[set(2, 5), set(6, 0)],
      ...[
        move(7, 2),
        { op: 0x85, imm: 1 },
        { op: 0x07, dst: 6, imm: 1 },
        { op: 0xa5, dst: 6, off: -4, imm: 3 },
      ],
      ...[set(0, 0), EXIT],
    ];
    expect(faultOf(() => runCode(code, { interpreter: { helpers: { 1: () => {} } } }))).toBe(message(2));
  });

  const withInner = (main: readonly Raw[], inner: readonly Raw[]): Interpreter => {
    const bytes = codeOf(...main, ...inner);
    const at = main.length * 8;
    const object = writeElf(
      [{ name: 'syscall', bytes, flags: 6 }],
      [
        { name: 'main', section: 'syscall', size: at, type: 2, binding: 1 },
        { name: 'inner', section: 'syscall', value: at, size: bytes.length - at, type: 2 },
      ],
    );
    return new Interpreter(link(loadObject(object)));
  };

  test('is found in a subprogram, which sees r1 to r5 of its caller, and no other register', () => {
    const main = (imm: number): Raw[] => [set(2, 9), { op: 0x85, src: 1, imm }, EXIT];
    expect(withInner(main(1), [move(0, 2), EXIT]).run('main').value).toBe(9n);
    expect(faultOf(() => withInner(main(1), [move(0, 3), EXIT]).run('main'))).toBe(message(3));
    const saved = [set(6, 9), { op: 0x85, src: 1, imm: 1 }, EXIT];
    expect(faultOf(() => withInner(saved, [move(0, 6), EXIT]).run('main'))).toBe(message(6));
  });

  test('is found as the result of a subprogram that has none', () => {
    const main = [{ op: 0x85, src: 1, imm: 1 }, EXIT];
    expect(faultOf(() => withInner(main, [set(1, 0), EXIT]).run('main'))).toBe(message(0));
    expect(
      withInner([{ op: 0x85, src: 1, imm: 2 }, set(0, 4), EXIT], [set(1, 0), EXIT]).run('main').value,
    ).toBe(4n);
  });

  test('is kept over a call, when it is r6 to r9', () => {
    const main = [set(6, 9), { op: 0x85, src: 1, imm: 2 }, move(0, 6), EXIT];
    expect(withInner(main, [set(6, 1), set(0, 0), EXIT]).run('main').value).toBe(9n);
  });
});

describe('a run', () => {
  test('takes exactly the instructions of its budget', () => {
    const code = [set(0, 1), set(1, 1), set(2, 1), EXIT];
    expect(runCode(code, { budget: 4 })).toEqual({ value: 1n, instructions: 4 });
    expect(faultOf(() => runCode(code, { budget: 3 }))).toBe(
      'budget: the run has taken all instructions of its budget',
    );
  });

  test('has 8 frames', () => {
    // Each function calls the next one.
    const chain = (count: number): Uint8Array => {
      const bytes = codeOf(
        ...Array.from({ length: count }, (_, i) =>
          i === count - 1 ? [set(0, 3), set(1, 0), EXIT] : [{ op: 0x85, src: 1, imm: 2 }, set(1, 0), EXIT],
        ).flat(),
      );
      return writeElf(
        [{ name: 'syscall', bytes, flags: 6 }],
        Array.from({ length: count }, (_, i) => ({
          ...{
            name: `f${i}`,
            section: 'syscall',
            value: i * 24,
            size: 24,
            type: 2,
            binding: i === 0 ? 1 : 0,
          },
        })),
      );
    };
    expect(new Interpreter(link(loadObject(chain(8)))).run('f0').value).toBe(3n);
    expect(faultOf(() => new Interpreter(link(loadObject(chain(9)))).run('f0'))).toBe(
      'frames: more than 8 calls are within each other',
    );
  });

  test('names the instruction, its text and its function in a fault', () => {
    try {
      runCode([set(0, 0), move(2, 10), { op: 0x79, dst: 0, src: 2, off: -1000 }, EXIT]);
    } catch (error) {
      const { kind, place, message } = error as ProgramFault;
      expect(kind).toBe('access');
      expect(place).toEqual({
        ...{
          function: 'main',
          section: 'syscall',
          pc: 2,
          instruction: 'r0 = *(u64 *)(r2 - 0x3e8)',
          source: null,
        },
      });
      expect(message).toContain('at instruction 2 of section syscall, in main: r0 = *(u64 *)(r2 - 0x3e8)');
      return;
    }
    throw new Error('it did not end');
  });
});

test('random bytes as instructions end in a result or a fault, and never in another error', () => {
  const raw = fc.record({
    op: fc.oneof(fc.constantFrom(...VALID), fc.nat({ max: 255 })),
    dst: fc.nat({ max: 11 }),
    src: fc.nat({ max: 11 }),
    off: fc.oneof(fc.constantFrom(0, 1, -8, -16, 8, -1), fc.integer({ min: -32768, max: 32767 })),
    imm: fc.oneof(fc.constantFrom(0, 1, 16, 0x100, 0x110, 0xe1, 0xf1), fc.integer()),
  });
  fc.assert(
    fc.property(fc.array(raw, { minLength: 1, maxLength: 30 }), (list) => {
      const all = [...[0, 2, 3, 4, 5, 6, 7, 8, 9].map((i) => move(i, i % 2 === 0 ? 10 : 1)), ...list, EXIT];
      const end = faultOf(() =>
        runCode(all, { budget: 1000, context: context(1, 2, 3), interpreter: { loops: 5 } }),
      );
      expect(end).toMatch(/^(done|(instruction|register|access|frames|budget): )/);
    }),
    { numRuns: 1500 * Number(process.env.VMAREA_RUNS ?? 1) },
  );
});
