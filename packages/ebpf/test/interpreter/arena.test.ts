import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ArenaReport, Interpreter, link, loadObject } from '../../src/index.js';
import { ARCHITECTURES, type ArenaMachine, arenaMachine } from '../support/arena-machine.js';
import { codeOf, EXIT, move, type Raw, set, wide } from '../support/code.js';
import { atomic } from '../support/model.js';
import { context, loaded } from '../support/objects.js';
import { faultOf, runCode } from '../support/run.js';
import { programOf } from '../support/write-elf.js';

const START = 1n << 44n;
const CAST_KERNEL: Raw = { op: 0xbf, off: 1, imm: 1 };
const CAST_USER: Raw = { op: 0xbf, off: 1, imm: 0x10000 };

/** Runs code with an arena, and collects what is reported. */
function runner(
  machine: ArenaMachine,
): (code: readonly Raw[], bytes?: Uint8Array) => { value: bigint; reports: ArenaReport[] } {
  return (code, bytes) => {
    const reports: ArenaReport[] = [];
    const { port } = machine;
    const { value } = runCode(code, {
      link: { arena: port },
      interpreter: { arena: port, report: (report) => reports.push(report) },
      ...(bytes === undefined ? {} : { context: bytes }),
    });
    return { value, reports };
  };
}

const texts = (reports: readonly ArenaReport[]): string[] => reports.map(({ text }) => text);

describe.each(Object.keys(ARCHITECTURES))('in an arena of %s', (architecture) => {
  test('a load of a page that is not there gives 0, a store is dropped, and both are reported', () => {
    const run = runner(arenaMachine(architecture));
    for (const op of [0x71, 0x69, 0x61, 0x79, 0x91, 0x89, 0x81]) {
      const { value, reports } = run([set(2, 0x100), set(0, -1), { op, dst: 0, src: 2, off: 8 }, EXIT]);
      expect(value).toBe(0n);
      expect(reports).toMatchObject([
        { isWrite: false, address: START + 0x108n, stream: 2, pc: 2, function: 'main' },
      ]);
      expect(texts(reports)).toEqual(['ERROR: Arena READ access at unmapped address 0x100000000108']);
    }
    for (const op of [0x73, 0x6b, 0x63, 0x7b, 0x72, 0x6a, 0x62, 0x7a]) {
      const isRegister = (op & 1) !== 0;
      const { value, reports } = run([
        set(2, 0x100),
        set(0, 5),
        { op, dst: 2, src: isRegister ? 2 : 0, off: -16 },
        EXIT,
      ]);
      expect(value).toBe(5n);
      expect(texts(reports)).toEqual(['ERROR: Arena WRITE access at unmapped address 0x1000000000f0']);
    }
  });

  test('an access that crosses into a page that is not there changes nothing', () => {
    const machine = arenaMachine(architecture);
    machine.allocate(1);
    const edge = machine.pageSize - 2;
    const { value, reports } = runner(machine)([
      ...[set(2, edge), { op: 0x62, dst: 2, imm: -1 }, { op: 0x61, dst: 0, src: 2 }],
      ...[{ op: 0x69, dst: 3, src: 2 }, { op: 0x0f, dst: 0, src: 3 }, EXIT],
    ]);
    expect(value).toBe(0n);
    const address = (START + BigInt(edge)).toString(16);
    expect(texts(reports)).toEqual([
      `ERROR: Arena WRITE access at unmapped address 0x${address}`,
      `ERROR: Arena READ access at unmapped address 0x${address}`,
    ]);
  });

  test('the offset moves an address beyond both ends of the low 32 bits', () => {
    const run = runner(arenaMachine(architecture));
    const { value, reports } = run([
      ...[set(2, 0), { op: 0x79, dst: 0, src: 2, off: -32768 }, { op: 0x71, dst: 0, src: 2, off: -1 }],
      ...[
        ...wide(2, 0xffff_ffffn),
        { op: 0x71, dst: 0, src: 2, off: 1 },
        { op: 0x71, dst: 0, src: 2, off: 32767 },
        EXIT,
      ],
    ]);
    expect(value).toBe(0n);
    expect(reports.map(({ address }) => address - START)).toEqual([
      -32768n,
      -1n,
      1n << 32n,
      (1n << 32n) + 32766n,
    ]);
    const fault = (code: Raw[]): string => faultOf(() => run(code));
    expect(fault([...wide(2, 1n << 32n), { op: 0x71, dst: 0, src: 2, off: 32767 }, EXIT])).toBe('done');
    expect(fault([...wide(2, (1n << 32n) + 1n), { op: 0x71, dst: 0, src: 2, off: 32767 }, EXIT])).toBe(
      'access: the address 0x0000000100008000 belongs to nothing',
    );
    expect(fault([set(2, -1), { op: 0x71, dst: 0, src: 2, off: -32767 }, EXIT])).toBe('done');
    expect(fault([set(2, -1), { op: 0x71, dst: 0, src: 2, off: -32768 }, EXIT])).toBe(
      'access: the address 0xffffffffffff7fff belongs to nothing',
    );
  });

  test('a pointer of user space is used after a cast only', () => {
    const machine = arenaMachine(architecture);
    machine.allocate(1);
    const run = runner(machine);
    const user = wide(2, START + 64n);
    expect(
      run([
        ...user,
        { ...CAST_KERNEL, dst: 3, src: 2 },
        { op: 0x7a, dst: 3, imm: 7 },
        { op: 0x79, dst: 0, src: 3 },
        EXIT,
      ]).value,
    ).toBe(7n);
    expect(u64(machine.read(START + 64n, 8))).toBe(7n);
    expect(faultOf(() => run([...user, { op: 0x79, dst: 0, src: 2 }, EXIT]))).toBe(
      'access: the address 0x0000100000000040 belongs to nothing',
    );
  });

  test('an atomic change of a page that is not there is reported, and what it fetches is 0', () => {
    const run = runner(arenaMachine(architecture));
    for (const op of [0xc3, 0xdb]) {
      for (const imm of [0x00, 0x40, 0x50, 0xa0, 0x01, 0x41, 0x51, 0xa1, 0xe1, 0x110]) {
        const { value, reports } = run([set(2, 64), set(0, 9), { op, dst: 2, src: 0, imm }, EXIT]);
        expect(value).toBe((imm & 1) !== 0 ? 0n : 9n);
        expect(texts(reports)).toEqual(['ERROR: Arena WRITE access at unmapped address 0x100000000040']);
      }
      const exchanged = run([
        set(2, 64),
        set(0, 9),
        set(3, 4),
        { op, dst: 2, src: 3, imm: 0xf1 },
        { op: 0x0f, src: 3 },
        EXIT,
      ]);
      expect(exchanged.value).toBe(4n);
      const acquired = run([set(2, 64), set(0, 9), { op, dst: 0, src: 2, imm: 0x100 }, EXIT]);
      expect(acquired.value).toBe(0n);
      expect(texts(acquired.reports)).toEqual([
        'ERROR: Arena READ access at unmapped address 0x100000000040',
      ]);
    }
  });

  test('a page that is freed reads 0 from then on', () => {
    const machine = arenaMachine(architecture);
    machine.allocate(1);
    const run = runner(machine);
    const read = [set(2, 0), { op: 0x79, dst: 0, src: 2 }, EXIT];
    run([set(2, 0), { op: 0x7a, dst: 2, imm: 3 }, set(0, 0), EXIT]);
    expect(run(read)).toEqual({ value: 3n, reports: [] });
    machine.free(0, 1);
    expect(run(read).value).toBe(0n);
  });

  test('the byte behind an arena that ends at a multiple of 4 GiB is at the other end of the window', () => {
    const userVmStart = START + (1n << 32n) - 2n * pageOf(architecture);
    const machine = arenaMachine(architecture, { pages: 2, userVmStart });
    machine.allocate(2);
    const { pageSize } = machine;
    const { value, reports } = runner(machine)([
      ...[...wide(2, userVmStart + BigInt(pageSize)), { ...CAST_KERNEL, dst: 2, src: 2 }],
      ...[{ op: 0x7a, dst: 2, imm: 2 }, ...wide(3, BigInt(pageSize)), { op: 0x0f, dst: 2, src: 3 }],
      ...[
        { ...CAST_KERNEL, dst: 2, src: 2 },
        { op: 0x7a, dst: 2, imm: 3 },
        { op: 0x79, dst: 0, src: 2 },
        EXIT,
      ],
    ]);
    expect(value).toBe(0n);
    expect(texts(reports)).toEqual(
      ['WRITE', 'READ'].map((kind) => `ERROR: Arena ${kind} access at unmapped address 0x100000000000`),
    );
    expect(u64(machine.read(userVmStart + BigInt(pageSize), 8))).toBe(2n);
  });
});

const pageOf = (architecture: string): bigint => BigInt(arenaMachine(architecture).pageSize);
const u64 = (bytes: Uint8Array): bigint => new DataView(bytes.buffer).getBigUint64(0, true);

describe('casts', () => {
  const cast = (raw: Raw, value: bigint, noUserConv = false): bigint => {
    const { port } = arenaMachine('x86-64', { noUserConv, userVmStart: START + 0x5000n });
    const code = [...wide(2, value), { ...raw, dst: 0, src: 2 }, EXIT];
    return runCode(code, { link: { arena: port }, interpreter: { arena: port } }).value;
  };

  test('to the kernel keep the low 32 bits', () => {
    expect(cast(CAST_KERNEL, START + 0x6010n)).toBe(0x6010n);
    expect(cast(CAST_KERNEL, 0xffff_ffff_8000_0001n)).toBe(0x8000_0001n);
  });

  test('to user space add the upper half of its start, but leave NULL', () => {
    expect(cast(CAST_USER, 0x6010n)).toBe(START + 0x6010n);
    expect(cast(CAST_USER, 0x7_0000_6010n)).toBe(START + 0x6010n);
    expect(cast(CAST_USER, 0n)).toBe(0n);
    expect(cast(CAST_USER, 5n << 32n)).toBe(0n);
  });

  test('to user space keep the low 32 bits with BPF_F_NO_USER_CONV', () => {
    expect(cast(CAST_USER, 0x7_0000_6010n, true)).toBe(0x6010n);
  });
});

describe('atomic instructions', () => {
  const word = fc.oneof(
    fc.constantFrom(0n, 1n, 0x8000_0000n, 0xffff_ffffn, 1n << 63n, (1n << 64n) - 1n),
    fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  );
  const places: Record<string, (code: readonly Raw[], old: bigint) => { value: bigint; memory: bigint }> = {
    'the context': (code, old) => {
      const bytes = context(old, 0, 0);
      const { value } = runCode([move(6, 1), ...code], { context: bytes });
      return { value, memory: u64(bytes) };
    },
  };
  const arena = arenaMachine('x86-64', { pages: 2 });
  arena.allocate(1);
  places['an arena'] = (code, old) => {
    const { port } = arena;
    const start = [set(6, 8), ...wide(9, old), { op: 0x7b, dst: 6, src: 9 }];
    const { value } = runCode([...start, ...code], { link: { arena: port }, interpreter: { arena: port } });
    return { value, memory: u64(arena.read(START + 8n, 8)) };
  };

  test.each(Object.keys(places))('in %s leave and fetch what RFC 9669 says', (name) => {
    const operations = [0x00, 0x40, 0x50, 0xa0, 0x01, 0x41, 0x51, 0xa1, 0xe1, 0xf1];
    fc.assert(
      fc.property(
        word,
        word,
        word,
        fc.constantFrom(...operations),
        fc.constantFrom(32, 64),
        fc.boolean(),
        (old, operand, r0, imm, bits, isHit) => {
          const expected = isHit ? old : r0;
          const code = [
            ...wide(2, operand),
            ...wide(0, expected),
            { op: bits === 32 ? 0xc3 : 0xdb, dst: 6, src: 2, imm },
          ];
          const run = (shown: number): { value: bigint; memory: bigint } =>
            (places[name] as (typeof places)[string])([...code, move(0, shown), EXIT], old);
          const cut = BigInt.asUintN(bits, old);
          const made = atomic(imm, cut, BigInt.asUintN(bits, operand), expected, bits);
          const memory = bits === 64 ? made : ((old >> 32n) << 32n) | made;
          expect(run(2)).toEqual({ value: imm !== 0xf1 && (imm & 1) !== 0 ? cut : operand, memory });
          expect(run(0)).toEqual({ value: imm === 0xf1 ? cut : expected, memory });
        },
      ),
      { numRuns: 150 },
    );
  });

  test.each(Object.keys(places))('in %s load-acquire and store-release move 8 to 64 bits', (name) => {
    const place = places[name] as (typeof places)[string];
    const old = 0x1234_5678_90ab_cdefn;
    for (const [op, bits] of [
      [0xd3, 8],
      [0xcb, 16],
      [0xc3, 32],
      [0xdb, 64],
    ] as const) {
      const acquired = place([{ op, dst: 0, src: 6, imm: 0x100 }, EXIT], old);
      expect(acquired).toEqual({ value: BigInt.asUintN(bits, old), memory: old });
      const value = 0xfedc_ba98_7654_3210n;
      const released = place([...wide(2, value), { op, dst: 6, src: 2, imm: 0x110 }, set(0, 0), EXIT], old);
      expect(released.memory).toBe(((old >> BigInt(bits)) << BigInt(bits)) | BigInt.asUintN(bits, value));
      if (bits > 8) {
        const odd = [{ op, dst: 0, src: 6, off: 1, imm: 0x100 }, EXIT];
        expect(faultOf(() => place(odd, old))).toBe(
          `access: an atomic access of ${bits / 8} bytes is not aligned`,
        );
      }
    }
  });
});

test('a report names the line of the source', () => {
  const reports: ArenaReport[] = [];
  const { machine, interpreter } = loaded('list', 'x86-64', {
    interpreter: { report: (report) => reports.push(report) },
  });
  machine.free(99, 1);
  expect(interpreter.run('sum').value).toBe(0n);
  expect(reports.length).toBeGreaterThan(0);
  expect(reports[0]).toMatchObject({
    ...{ function: 'sum', section: 'syscall', stream: 2 },
    source: { file: './list.bpf.c', text: expect.stringContaining('one = head') },
  });
});

test('what another one than the arena throws ends the run', () => {
  const machine = arenaMachine('x86-64', { pages: 2 });
  const { port } = machine;
  const program = link(loadObject(programOf(codeOf({ op: 0x85, imm: 1 }, EXIT))), { arena: port });
  const helpers = {
    1: () => {
      port.mmu.load32(0, 0x1000, false);
    },
  };
  expect(() => new Interpreter(program, { arena: port, helpers }).run('main')).toThrow('#PF');
});
