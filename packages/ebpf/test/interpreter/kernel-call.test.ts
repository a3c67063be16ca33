import { describe, expect, test } from 'vitest';
import { Interpreter, type KernelCall, type KernelFunctionEntry, link, loadObject } from '../../src/index.js';
import { arenaMachine } from '../support/arena-machine.js';
import { codeOf, EXIT, move, type Raw, set, wide } from '../support/code.js';
import { context, objectBytes } from '../support/objects.js';
import { faultOf, runCode } from '../support/run.js';
import { programOf, writeElf } from '../support/write-elf.js';

/** A program that calls the kfunc `f` with r1 to r5 as the code leaves them. */
function callingKfunc(code: readonly Raw[], binding = 1): Uint8Array {
  const bytes = codeOf(...code, { op: 0x85, src: 1, imm: -1 }, EXIT);
  return writeElf(
    [{ name: 'syscall', bytes, flags: 6, relocations: [{ offset: code.length * 8, type: 10, symbol: 'f' }] }],
    [
      { name: 'main', section: 'syscall', size: bytes.length, type: 2, binding: 1 },
      { name: 'f', section: null, binding },
    ],
  );
}

const fiveArguments = [
  ...wide(1, 0x1_0000_0000n),
  ...wide(2, 0x1111_0000_2000n),
  ...wide(3, 0xffff_ffff_ffff_ffffn),
  ...wide(4, 0n),
  ...wide(5, 0x1234_5678_9abc_def0n),
];

const seen = (call: KernelCall): bigint[] =>
  [0, 1, 2, 3, 4].map((i) =>
    BigInt.asUintN(
      64,
      (BigInt(call.args[i * 2 + 1] as number) << 32n) | BigInt((call.args[i * 2] as number) >>> 0),
    ),
  );

describe('a kernel function', () => {
  test('gets five arguments, and its result is r0', () => {
    let all: bigint[] = [];
    const program = link(loadObject(callingKfunc(fiveArguments)), { kfuncs: ['f'] });
    const f = (call: KernelCall): void => {
      all = seen(call);
      call.returnWords(0x8000_0001, -2);
    };
    expect(new Interpreter(program, { kfuncs: { f } }).run('main').value).toBe(0xffff_fffe_8000_0001n);
    expect(all).toEqual([0x1_0000_0000n, 0x1111_0000_2000n, 2n ** 64n - 1n, 0n, 0x1234_5678_9abc_def0n]);
  });

  test('that is weak and missing ends the run when it is called', () => {
    const strong = callingKfunc(fiveArguments);
    const weak = callingKfunc(fiveArguments, 2);
    expect(() => link(loadObject(strong))).toThrow(
      'EINVAL: the object needs f, which the kernel does not have',
    );
    expect(faultOf(() => new Interpreter(link(loadObject(weak))).run('main'))).toBe(
      'instruction: the kernel has no function f',
    );
  });

  test('returns 0 when it sets nothing', () => {
    const program = link(loadObject(callingKfunc(fiveArguments)), { kfuncs: ['f'] });
    expect(new Interpreter(program, { kfuncs: { f: () => {} } }).run('main').value).toBe(0n);
  });

  test('gets arena pointers as addresses of the kernel, only when the caller asks for that', () => {
    const { port } = arenaMachine('x86-64');
    const program = link(loadObject(callingKfunc(fiveArguments)), { kfuncs: ['f'], arena: port });
    const argumentsWith = (arenaArguments?: KernelFunctionEntry['arenaArguments']): bigint[] => {
      let all: bigint[] = [];
      const call = (one: KernelCall): void => {
        all = seen(one);
      };
      const f = arenaArguments === undefined ? call : { call, arenaArguments };
      new Interpreter(program, { arena: port, kfuncs: { f } }).run('main');
      return all;
    };
    const base = port.kernVmStart;
    const plain = [0x1_0000_0000n, 0x1111_0000_2000n, 2n ** 64n - 1n, 0n, 0x1234_5678_9abc_def0n];
    expect(argumentsWith()).toEqual(plain);
    // Only the low 32 bits count: 0 is the start of the window.
    expect(argumentsWith(['arena', 'arena', 'arena', 'arena', null])).toEqual([
      ...[base, base + 0x2000n, base + 0xffff_ffffn, base, 0x1234_5678_9abc_def0n],
    ]);
    // NULL is what has no low 32 bits, whatever the upper half is.
    expect(argumentsWith(['nullable', 'nullable', null, 'nullable'])).toEqual([
      ...[0n, base + 0x2000n, 2n ** 64n - 1n, 0n, 0x1234_5678_9abc_def0n],
    ]);
    // The object has no declaration tags.
    expect(argumentsWith('tags')).toEqual(plain);
  });

  test('gets its arena arguments by declaration tags', () => {
    const { port } = arenaMachine('x86-64', { pages: 4 });
    const program = link(loadObject(objectBytes('tags')), { arena: port, kfuncs: ['vm_look'] });
    expect(program.externs).toEqual([
      { name: 'vm_look', isThere: true, tags: [['arg:arena'], [], ['arg:arena', 'arg:nullable'], [], []] },
    ]);
    let all: bigint[] = [];
    const vm_look = {
      call: (call: KernelCall): void => {
        all = seen(call).slice(0, 3);
      },
      arenaArguments: 'tags' as const,
    };
    const interpreter = new Interpreter(program, { arena: port, kfuncs: { vm_look } });
    interpreter.run('look', { context: context(1n << 40n, 5, 1n << 40n) });
    expect(all).toEqual([port.kernVmStart, 5n, 0n]);
    interpreter.run('look', { context: context(16, 5, 32) });
    expect(all).toEqual([port.kernVmStart + 16n, 5n, port.kernVmStart + 32n]);
  });

  test('reads and writes what a pointer to the stack or the context names', () => {
    const helpers = {
      1: (call: KernelCall): void => {
        const bytes = call.bytesAt(0, 3, true);
        call.returnWords(bytes[0] as number, 0);
        bytes.set([7, 8, 9]);
      },
    };
    const code = [{ op: 0x7a, dst: 10, off: -8, imm: 5 }, move(1, 10), { op: 0x07, dst: 1, imm: -7 }];
    const rest = [{ op: 0x85, imm: 1 }, { op: 0x79, dst: 0, src: 10, off: -8 }, EXIT];
    expect(runCode([...code, ...rest], { interpreter: { helpers } }).value).toBe(0x0908_0705n);
    const bytes = context(5);
    expect(runCode([{ op: 0x85, imm: 1 }, EXIT], { interpreter: { helpers }, context: bytes }).value).toBe(
      5n,
    );
    expect([...bytes.subarray(0, 4)]).toEqual([7, 8, 9, 0]);
    expect(
      faultOf(() => runCode([set(1, 0), { op: 0x85, imm: 1 }, EXIT], { interpreter: { helpers } })),
    ).toBe('access: the address 0x0000000000000000 belongs to nothing');
  });

  test('refuses an argument and a length that are none', () => {
    const refused = (index: number, bytes: number): string =>
      faultOf(() =>
        runCode([{ op: 0x85, imm: 1 }, EXIT], {
          ...{
            context: context(1),
            interpreter: { helpers: { 1: (call: KernelCall) => call.bytesAt(index, bytes) } },
          },
        }),
      );
    expect(refused(5, 1)).toContain('EINVAL: there is no argument 5, expected 0 to 4');
    expect(refused(0, -1)).toContain('EINVAL: the number of bytes is -1');
    expect(refused(0, 1.5)).toContain('EINVAL: the number of bytes is 1.5');
  });

  test('cannot call back what is no function', () => {
    const helpers = {
      1: (call: KernelCall) => call.callback(call.args[1] as number, call.args[0] as number),
    };
    for (const value of [0n, 1n << 44n, 0xffff_c002_1000_0000n, 0xffff_c002_1000_0008n]) {
      const code = [...wide(1, value), { op: 0x85, imm: 1 }, EXIT];
      expect(faultOf(() => runCode(code, { interpreter: { helpers } }))).toBe(
        'instruction: the callback is no function',
      );
    }
  });

  test('may catch the fault of a callback, and the program goes on in its own frame', () => {
    // The callback calls a function that reads beyond its frame: the fault leaves two frames and its r6.
    const main = [
      ...[set(6, 66), set(7, 77), { op: 0x7a, dst: 10, off: -8, imm: 5 }, ...wide(1, 0n)],
      ...[{ op: 0x85, imm: 1 }, move(8, 0), move(1, 10), { op: 0x07, dst: 1, imm: -8 }],
      ...[
        { op: 0x79, dst: 9, src: 1 },
        { op: 0x27, dst: 6, imm: 1000 },
        { op: 0x0f, dst: 6, src: 7 },
      ],
      ...[
        { op: 0x27, dst: 6, imm: 10 },
        { op: 0x0f, dst: 6, src: 9 },
        { op: 0x27, dst: 6, imm: 10 },
      ],
      ...[{ op: 0x0f, dst: 6, src: 8 }, move(0, 6), EXIT],
    ];
    const callback = [set(6, 1), { op: 0x85, src: 1, imm: 1 }, EXIT];
    const inner = [
      ...[set(6, 2), { op: 0x85, imm: 2 }, move(2, 10), { op: 0x79, dst: 0, src: 2, off: -1024 }, EXIT],
    ];
    const bytes = codeOf(...main, ...callback, ...inner);
    const [second, third] = [main.length * 8, (main.length + callback.length) * 8];
    const object = writeElf(
      [
        {
          ...{ name: 'syscall', bytes, flags: 6 },
          relocations: [{ offset: 24, type: 1, symbol: 'callback' }],
        },
      ],
      [
        { name: 'main', section: 'syscall', size: second, type: 2, binding: 1 },
        { name: 'callback', section: 'syscall', value: second, size: third - second, type: 2 },
        { name: 'inner', section: 'syscall', value: third, size: bytes.length - third, type: 2 },
      ],
    );
    const ends: string[] = [];
    const helpers = {
      1: (call: KernelCall): void => {
        const [lo, hi] = [call.args[0] as number, call.args[1] as number];
        for (let i = 0; i < 10; i++) {
          ends.push(faultOf(() => call.callback(hi, lo)));
          expect([call.lo, call.hi]).toEqual([0, 0]);
        }
      },
      2: (call: KernelCall): void => call.returnWords(9, 9),
    };
    const interpreter = new Interpreter(link(loadObject(object)), { helpers });
    // r6 and r7 are kept, its own 8 bytes of the stack are there, and the helper's result is 0.
    expect(interpreter.run('main').value).toBe((66n * 1000n + 77n) * 100n + 50n);
    expect(new Set(ends)).toEqual(new Set(['access: 8 bytes at r10 - 1024 are in no frame']));
  });

  test('cannot call back when it has returned', () => {
    const kept: KernelCall[] = [];
    const helpers = { 1: (call: KernelCall): void => void kept.push(call) };
    runCode([{ op: 0x85, imm: 1 }, EXIT], { interpreter: { helpers } });
    expect(() => kept[0]?.callback(0, 0)).toThrow(
      'EINVAL: the kernel function has returned; call callback() before that',
    );
  });

  test('cannot run the interpreter that calls it', () => {
    const program = link(loadObject(programOf(codeOf({ op: 0x85, imm: 1 }, EXIT))));
    const interpreter: Interpreter = new Interpreter(program, {
      helpers: { 1: () => interpreter.run('main') },
    });
    expect(() => interpreter.run('main')).toThrow('EBUSY: the interpreter runs a program; make another one');
    // It can run again after that.
    expect(() => interpreter.run('main')).toThrow('EBUSY');
  });

  test('that throws ends the run with its own error', () => {
    const mine = new Error('mine');
    const helpers = {
      1: () => {
        throw mine;
      },
    };
    expect(() => runCode([{ op: 0x85, imm: 1 }, EXIT], { interpreter: { helpers } })).toThrow(mine);
  });

  test('knows maps by their pointers', () => {
    const { port } = arenaMachine('x86-64', { pages: 4 });
    const program = link(loadObject(objectBytes('tags')), { arena: port, kfuncs: ['vm_look'] });
    const found: unknown[] = [];
    const interpreter = new Interpreter(program, {
      arena: port,
      kfuncs: { vm_look: () => {} },
      helpers: {
        1: (call) => {
          found.push(call.mapAt(0)?.name);
          call.args[0] = (call.args[0] as number) + 1;
          found.push(call.mapAt(0));
          call.args.fill(0);
          found.push(call.mapAt(0));
        },
      },
    });
    interpreter.run('map');
    expect(found).toEqual(['arena', null, null]);
  });
});

describe('an interpreter refuses', () => {
  const { port } = arenaMachine('x86-64');
  const program = link(loadObject(callingKfunc(fiveArguments)), { kfuncs: ['f'], arena: port });
  const kfuncs = { f: (): void => {} };
  test.each([
    ['something else than a program', () => new Interpreter({} as never), 'EINVAL: the program is none'],
    [
      'an unknown option',
      () => new Interpreter(program, { kfunc: {} } as never),
      'EINVAL: Interpreter has no option `kfunc`',
    ],
    [
      'no arena',
      () => new Interpreter(program, { kfuncs }),
      'EINVAL: the program was linked with an arena, but none is given',
    ],
    [
      'another arena',
      () => new Interpreter(program, { kfuncs, arena: { ...port, pages: 7 } }),
      'the arena is another one',
    ],
    [
      'another address',
      () => new Interpreter(program, { kfuncs, arena: { ...port, userVmStart: 4096n } }),
      'the arena is another one',
    ],
    [
      'an arena with another flag',
      () => new Interpreter(program, { kfuncs, arena: { ...port, noUserConv: true } }),
      'noUserConv is true',
    ],
    [
      'an arena without an Mmu',
      () => new Interpreter(program, { kfuncs, arena: { ...port, mmu: {} as never } }),
      'no Mmu',
    ],
    [
      'a window without guards',
      () => new Interpreter(program, { kfuncs, arena: { ...port, kernVmStart: 0n } }),
      'kernVmStart is no address',
    ],
    [
      'a kfunc that is missing',
      () => new Interpreter(program, { arena: port }),
      'linked with f, but kfuncs have no such function',
    ],
    [
      'a kfunc of a prototype',
      () =>
        new Interpreter(link(loadObject(callingKfunc([])), { kfuncs: ['f'] }), {
          kfuncs: Object.create(kfuncs),
        }),
      'no such function',
    ],
    [
      'wrong arena arguments',
      () =>
        new Interpreter(program, {
          arena: port,
          kfuncs: { f: { call: kfuncs.f, arenaArguments: ['user'] as never } },
        }),
      'the arenaArguments of f are wrong',
    ],
    [
      'a helper without a number',
      () => new Interpreter(program, { arena: port, kfuncs, helpers: { loop: kfuncs.f } as never }),
      'the helper loop',
    ],
    [
      'a report that is no function',
      () => new Interpreter(program, { arena: port, kfuncs, report: 1 as never }),
      'report is no function',
    ],
    [
      'a wrong number of loops',
      () => new Interpreter(program, { arena: port, kfuncs, loops: -1 }),
      'loops is -1',
    ],
    [
      'an unknown program',
      () => new Interpreter(program, { arena: port, kfuncs }).run('f'),
      'there is no program f; the programs are main',
    ],
    [
      'an unknown option of a run',
      () => new Interpreter(program, { arena: port, kfuncs }).run('main', { limit: 1 } as never),
      'run() has no option `limit`',
    ],
    [
      'a context of another kind',
      () => new Interpreter(program, { arena: port, kfuncs }).run('main', { context: [1] as never }),
      'the context is no Uint8Array',
    ],
    [
      'a budget of 0',
      () => new Interpreter(program, { arena: port, kfuncs }).run('main', { budget: 0 }),
      'budget is 0',
    ],
  ])('%s', (_, call, message) => {
    expect(call).toThrow(message);
  });
});
