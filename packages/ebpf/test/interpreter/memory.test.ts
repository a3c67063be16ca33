import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Interpreter, link, loadObject } from '../../src/index.js';
import { arenaMachine } from '../support/arena-machine.js';
import { codeOf, EXIT, move, type Raw, set, wide } from '../support/code.js';
import { context } from '../support/objects.js';
import { faultOf, runCode } from '../support/run.js';
import { programOf, writeElf } from '../support/write-elf.js';

const SIZES = { 1: 0x10, 2: 0x08, 4: 0x00, 8: 0x18 } as const;
const load = (size: keyof typeof SIZES, dst: number, src: number, off: number, isSigned = false): Raw => ({
  ...{ op: (isSigned ? 0x81 : 0x61) | SIZES[size], dst, src, off },
});
const store = (size: keyof typeof SIZES, dst: number, src: number, off: number): Raw => ({
  ...{ op: 0x63 | SIZES[size], dst, src, off },
});
const storeImm = (size: keyof typeof SIZES, dst: number, imm: number, off: number): Raw => ({
  ...{ op: 0x62 | SIZES[size], dst, off, imm },
});

/** Puts the address of a place of each kind into r6, and runs code there. The place has 64 bytes. */
const PLACES: Readonly<Record<string, (code: readonly Raw[]) => bigint>> = {
  'the stack, by the frame pointer': (code) => runCode(code.map((raw) => moved(raw, 6, 10, -64))).value,
  'the stack, by a copy': (code) => runCode([move(6, 10), { op: 0x07, dst: 6, imm: -64 }, ...code]).value,
  'the context': (code) => runCode([move(6, 1), ...code], { context: new Uint8Array(64) }).value,
  '.bss': (code) => inBss(code, false),
  'shared .bss': (code) => inBss(code, true),
  'an arena': (code) => {
    const { port, allocate } = arenaMachine('x86-64', { pages: 4 });
    allocate(1);
    return runCode([set(6, 0), ...code], { link: { arena: port }, interpreter: { arena: port } }).value;
  },
};

function moved(raw: Raw, from: number, to: number, by: number): Raw {
  const isLoad = (raw.op & 7) === 1;
  const isStore = (raw.op & 7) === 2 || (raw.op & 7) === 3;
  if (isLoad && raw.src === from) return { ...raw, src: to, off: (raw.off ?? 0) + by };
  return isStore && raw.dst === from ? { ...raw, dst: to, off: (raw.off ?? 0) + by } : raw;
}

/** An object with 64 bytes of a section whose address r6 has. */
function withData(code: readonly Raw[], name: string, flags: number): Uint8Array {
  const bytes = codeOf(...wide(6, 0n, 1), ...code);
  return writeElf(
    [
      { name: 'syscall', bytes, flags: 6, relocations: [{ offset: 0, type: 1, symbol: 'place' }] },
      {
        name,
        bytes: new Uint8Array(name === '.bss' ? 0 : 64),
        type: name === '.bss' ? 8 : 1,
        flags,
        size: 64,
      },
    ],
    [
      { name: 'main', section: 'syscall', size: bytes.length, type: 2, binding: 1 },
      { name: 'place', section: name, size: 64, type: 1, binding: 1 },
    ],
  );
}

function inBss(code: readonly Raw[], shared: boolean): bigint {
  return new Interpreter(link(loadObject(withData(code, '.bss', 3)), { shared })).run('main').value;
}

const VALUE = 0x8182_8384_8586_8788n;

describe.each(Object.entries(PLACES))('in %s', (_, run) => {
  test.each([1, 2, 4, 8] as const)(
    'a store of %i bytes changes these alone, and a load of as many reads them',
    (size) => {
      const all = run([
        ...wide(2, VALUE),
        ...[storeImm(8, 6, -1, 0), storeImm(8, 6, -1, 8), store(size, 6, 2, 0)],
        ...[load(8, 0, 6, 0), EXIT],
      ]);
      const bits = size * 8;
      const ones = (1n << 64n) - 1n;
      expect(all).toBe(((ones >> BigInt(bits)) << BigInt(bits)) | BigInt.asUintN(bits, VALUE));
      const start = [...wide(2, VALUE), store(8, 6, 2, 8)];
      expect(run([...start, load(size, 0, 6, 8), EXIT])).toBe(BigInt.asUintN(bits, VALUE));
      if (size < 8) {
        const signed = BigInt.asUintN(64, BigInt.asIntN(bits, VALUE));
        expect(run([...start, load(size, 0, 6, 8, true), EXIT])).toBe(signed);
        expect(run([storeImm(8, 6, 0x7b, 8), load(size, 0, 6, 8, true), EXIT])).toBe(0x7bn);
      }
      expect(run([storeImm(8, 6, 0, 0), storeImm(size, 6, -2, 0), load(8, 0, 6, 0), EXIT])).toBe(
        BigInt.asUintN(bits, -2n),
      );
    },
  );
});

test.each(['the context', '.bss', 'shared .bss', 'an arena'])(
  'an access in %s need not be aligned',
  (place) => {
    const run = PLACES[place] as (code: readonly Raw[]) => bigint;
    fc.assert(
      fc.property(fc.nat({ max: 40 }), fc.constantFrom(1, 2, 4, 8), (at, size) => {
        const bytes = [
          ...wide(2, VALUE),
          storeImm(8, 6, 0, 0),
          store(size as 8, 6, 2, at),
          load(size as 8, 0, 6, at),
          EXIT,
        ];
        expect(run(bytes)).toBe(BigInt.asUintN(size * 8, VALUE));
      }),
      { numRuns: 30 },
    );
  },
);

test('a context is written back, also when the program ends by a fault', () => {
  const bytes = context(5);
  runCode([{ op: 0x7a, dst: 1, imm: 9 }, set(0, 0), EXIT], { context: bytes });
  expect(bytes).toEqual(context(9));
  expect(
    faultOf(() => runCode([{ op: 0x7a, dst: 1, imm: 8 }, set(0, 0), { op: 0xff }], { context: bytes })),
  ).toMatch(/^instruction/);
  expect(bytes).toEqual(context(8));
});

test('a frame begins as zeros, whatever was in it before', () => {
  // A subprogram fills its frame. The next call of it finds zeros.
  const call = (imm: number): Raw => ({ op: 0x85, src: 1, imm });
  const code = [...[call(2), call(1), EXIT], ...[load(8, 0, 10, -512), storeImm(8, 10, -1, -512), EXIT]];
  const bytes = codeOf(...code);
  const object = writeElf(
    [{ name: 'syscall', bytes, flags: 6 }],
    [
      { name: 'main', section: 'syscall', size: 24, type: 2, binding: 1 },
      { name: 'inner', section: 'syscall', value: 24, size: 24, type: 2 },
    ],
  );
  expect(new Interpreter(link(loadObject(object))).run('main').value).toBe(0n);
});

describe('a fault ends', () => {
  const FAULTS: readonly [what: string, code: readonly Raw[], fault: string][] = [
    [
      'a load below the frame',
      [load(8, 0, 10, -520), EXIT],
      'access: the access leaves the stack frame of 512 bytes',
    ],
    [
      'a load above the frame',
      [load(8, 0, 10, 0), EXIT],
      'access: the access leaves the stack frame of 512 bytes',
    ],
    [
      'a store that crosses the end',
      [set(0, 0), store(8, 10, 0, -4), EXIT],
      'access: the access leaves the stack frame of 512 bytes',
    ],
    [
      'a load that is not aligned',
      [load(4, 0, 10, -6), EXIT],
      'access: the access to the stack is not aligned',
    ],
    [
      'the same by another register',
      [move(2, 10), load(4, 0, 2, -6), EXIT],
      'access: the access to the stack is not aligned',
    ],
    [
      'a load above the frame by another register',
      [move(2, 10), load(1, 0, 2, 0), EXIT],
      'access: 1 bytes at r10 + 0 are in no frame',
    ],
    [
      'a load far below it',
      [move(2, 10), { op: 0x07, dst: 2, imm: -600 }, load(8, 0, 2, 0), EXIT],
      'access: 8 bytes at r10 - 600 are in no frame',
    ],
    [
      'a load behind the context',
      [load(8, 0, 1, 4), EXIT],
      'access: 8 bytes at 4 of the context, which has 8',
    ],
    [
      'a load before the context',
      [load(1, 0, 1, -1), EXIT],
      'access: 1 bytes at -1 of the context, which has 8',
    ],
    [
      'a load from NULL',
      [set(2, 0), load(8, 0, 2, 0), EXIT],
      'access: the address 0x0000000000000000 belongs to nothing',
    ],
    [
      'a store to a number',
      [...wide(2, 1n << 40n), store(8, 2, 2, 8), EXIT],
      'access: the address 0x0000010000000008 belongs to nothing',
    ],
    [
      'an atomic access that is not aligned',
      [set(0, 0), move(2, 1), { op: 0xc3, dst: 2, src: 0, off: 2 }, EXIT],
      'access: an atomic access of 4 bytes is not aligned',
    ],
  ];
  test.each(FAULTS)('%s', (_, code, fault) => {
    expect(faultOf(() => runCode(code, { context: context(0) }))).toBe(fault);
  });

  test.each([
    ['.rodata', [storeImm(1, 6, 1, 0), set(0, 0), EXIT], 'access: these variables are read-only'],
    [
      '.rodata by an atomic change',
      [set(0, 0), { op: 0xdb, dst: 6 }, EXIT],
      'access: these variables are read-only',
    ],
    ['.rodata from its end on', [load(8, 0, 6, 60), EXIT], 'access: 8 bytes at 60 of variables that have 64'],
    [
      '.rodata before its start',
      [load(8, 0, 6, -1), EXIT],
      'access: 8 bytes at -1 of variables that have 64',
    ],
  ] as [string, Raw[], string][])('an access to %s', (_, code, fault) => {
    expect(faultOf(() => new Interpreter(link(loadObject(withData(code, '.rodata', 2)))).run('main'))).toBe(
      fault,
    );
  });

  test('an access to the frame of a function that has returned', () => {
    const bytes = codeOf(
      ...[{ op: 0x85, src: 1, imm: 2 }, load(8, 0, 0, -8), EXIT],
      ...[{ op: 0x7a, dst: 10, off: -8, imm: 7 }, move(0, 10), EXIT],
    );
    const object = writeElf(
      [{ name: 'syscall', bytes, flags: 6 }],
      [
        { name: 'main', section: 'syscall', size: 24, type: 2, binding: 1 },
        { name: 'inner', section: 'syscall', value: 24, size: 24, type: 2 },
      ],
    );
    expect(faultOf(() => new Interpreter(link(loadObject(object))).run('main'))).toBe(
      'access: 8 bytes at r10 + 131064 are in no frame',
    );
  });

  test('.rodata can be read', () => {
    const object = withData([load(8, 0, 6, 8), EXIT], '.rodata', 2);
    expect(new Interpreter(link(loadObject(object))).run('main').value).toBe(0n);
  });
});

test('an object of one function is what these tests run', () => {
  expect(loadObject(programOf(codeOf(set(0, 0), EXIT))).programs).toEqual([
    { name: 'main', section: 0, first: 0, count: 2, isProgram: true },
  ]);
});
