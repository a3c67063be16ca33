import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  arenaAddress,
  globalBytes,
  Interpreter,
  type KernelCall,
  link,
  loadObject,
} from '../../src/index.js';
import { ARCHITECTURES } from '../support/arena-machine.js';
import { bpfLoop } from '../support/bpf-loop.js';
import { context, loaded, objectBytes, u32At, u64At } from '../support/objects.js';
import { faultOf } from '../support/run.js';

const double = (call: KernelCall): void => call.returnWords((call.args[0] as number) * 2, 0);
const calls = (): Interpreter =>
  new Interpreter(link(loadObject(objectBytes('calls')), { kfuncs: ['vm_double'] }), {
    kfuncs: { vm_double: double },
    helpers: { 181: bpfLoop },
  });

describe.each(Object.keys(ARCHITECTURES))('on %s', (architecture) => {
  test('all atomic operations of 32 and 64 bits in the arena leave and return what arena_atomics expects', () => {
    const { machine, program, interpreter } = loaded('atomics', architecture);
    interpreter.run('all');
    const quads = (name: string): bigint[] => [
      ...new BigUint64Array(machine.read(arenaAddress(program, name), 64).buffer),
    ];
    const words = (name: string): number[] => [
      ...new Uint32Array(machine.read(arenaAddress(program, name), 32).buffer),
    ];
    const high = (value: bigint): bigint => value << 32n;
    expect(quads('old64')).toEqual([1n, 1n, high(0x110n), high(0x110n), high(0x110n), 1n, 1n, 1n]);
    expect(quads('value64')).toEqual([
      ...[3n, 2n ** 64n - 1n, high(0x010n), high(0x111n), high(0x101n), 1n, 2n, 2n],
    ]);
    expect(words('old32')).toEqual([1, 1, 0x110, 0x110, 0x110, 1, 1, 1]);
    expect(words('value32')).toEqual([3, 0xffffffff, 0x010, 0x111, 0x101, 1, 2, 2]);
    expect(u64At(machine.read(arenaAddress(program, 'plain64'), 8))).toBe(0x2_0000_0004n);
    expect(u32At(machine.read(arenaAddress(program, 'plain32'), 4))).toBe(0x8000_0005);
  });

  test('a glob search in the arena agrees with a regular expression', () => {
    const { machine, program, interpreter } = loaded('glob', architecture);
    const put = (name: string, text: string): void => {
      const { mmu, kernVmStart } = machine.port;
      const bytes = new Uint8Array(64);
      bytes.set(new TextEncoder().encode(text));
      mmu.copyIn(kernVmStart + BigInt.asUintN(32, arenaAddress(program, name)), bytes);
    };
    const letters = (...all: string[]): fc.Arbitrary<string> =>
      fc.array(fc.constantFrom(...all), { maxLength: 14 }).map((list) => list.join(''));
    fc.assert(
      fc.property(letters('a', 'b', '*', '?'), letters('a', 'b'), (pattern, text) => {
        put('pattern', pattern);
        put('text', text);
        const regular = new RegExp(`^${pattern.replaceAll('*', '.*').replaceAll('?', '.')}$`);
        expect(interpreter.run('search').value).toBe(regular.test(text) ? 1n : 0n);
      }),
      { numRuns: 60 },
    );
  });

  test('two locks count exactly when one thread takes them', () => {
    const { machine, program, interpreter } = loaded('spin', architecture);
    interpreter.run('count_in_arena', { context: context(100) });
    interpreter.run('count_in_bss', { context: context(100) });
    expect(u64At(machine.read(arenaAddress(program, 'arena_count'), 8))).toBe(100n);
    expect(u64At(globalBytes(program, 'bss_count'))).toBe(100n);
    expect(u64At(globalBytes(program, 'bss_atomic'))).toBe(100n * 0x100000001n);
  });
});

describe('may_goto', () => {
  const loops = (budget?: number): { program: ReturnType<typeof link>; interpreter: Interpreter } => {
    const program = link(loadObject(objectBytes('loops')));
    return { program, interpreter: new Interpreter(program, budget === undefined ? {} : { loops: budget }) };
  };

  test('ends an endless loop after as many rounds as it may make', () => {
    const { program, interpreter } = loops(1000);
    expect(interpreter.run('endless').value).toBe(7n);
    expect(u64At(globalBytes(program, 'rounds'))).toBe(1000n);
  });

  test('makes 8,388,608 rounds unless the caller says otherwise', () => {
    const { program, interpreter } = loops();
    expect(interpreter.run('endless').value).toBe(7n);
    expect(u64At(globalBytes(program, 'rounds'))).toBe(8388608n);
  });

  test('counts each call of a function by itself', () => {
    const { program, interpreter } = loops(300);
    interpreter.run('nested');
    expect(u64At(globalBytes(program, 'rounds'))).toBe(600n);
  });

  test('leaves a loop with a bound alone', () => {
    let x = 1n;
    for (let i = 0; i < 1000; i++) {
      x ^= BigInt.asUintN(64, x << 13n);
      x ^= x >> 7n;
      x ^= BigInt.asUintN(64, x << 17n);
    }
    expect(loops(0).interpreter.run('bounded', { context: context(1000) }).value).toBe(x);
  });
});

describe('calls', () => {
  test('pass pointers into the frames of callers', () => {
    // Each depth adds its number to what its caller has, and returns all of them.
    const [mine, sums] = [[100n], []] as [bigint[], bigint[]];
    for (let depth = 1n; depth <= 5n; depth++) mine.push((mine.at(-1) as bigint) + depth);
    sums.push((mine[5] as bigint) + 6n);
    for (let depth = 4; depth >= 0; depth--) sums.push((sums.at(-1) as bigint) + (mine[depth] as bigint));
    expect(calls().run('frames', { context: context(100) }).value).toBe(sums.at(-1));
  });

  test('a helper calls functions of the program back until one says stop', () => {
    const value = (stop: number): bigint => calls().run('loops', { context: context(stop) }).value;
    const factorial = 3628800n;
    expect(value(9)).toBe(45n * 1_000_000_000n + factorial * 100n + 10n);
    expect(value(1000)).toBe(1225n * 1_000_000_000n + factorial * 100n + 50n);
  });

  test('a variable holds the address of another one', () => {
    const interpreter = calls();
    expect(interpreter.run('pointers', { context: context(2) }).value).toBe(101n + 42n);
    expect(interpreter.run('pointers', { context: context(2) }).value).toBe(102n + 42n);
    expect(interpreter.run('pointers', { context: context(3) }).value).toBe(1042n);
  });

  test('a weak kfunc that is missing is NULL, and one that is there is called', () => {
    expect(BigInt.asIntN(32, calls().run('missing').value)).toBe(-1n);
    const program = link(loadObject(objectBytes('calls')), { kfuncs: ['vm_double', 'vm_missing'] });
    const missing = (call: KernelCall): void => call.returnWords((call.args[0] as number) + 1, 0);
    const kfuncs = { vm_double: double, vm_missing: missing };
    expect(new Interpreter(program, { kfuncs }).run('missing').value).toBe(2n);
  });

  test('a program that needs a kfunc which is not there is refused', () => {
    expect(() => link(loadObject(objectBytes('calls')))).toThrow(
      'EINVAL: the object needs vm_double, which the kernel does not have; name it in the option kfuncs',
    );
  });

  test('a helper that is not there is a fault', () => {
    const program = link(loadObject(objectBytes('calls')), { kfuncs: ['vm_double'] });
    const interpreter = new Interpreter(program, { kfuncs: { vm_double: double } });
    expect(faultOf(() => interpreter.run('loops', { context: context(1) }))).toBe(
      'instruction: there is no helper 181',
    );
  });
});

describe('edges of division, sign extension and byte order in C', () => {
  const interpreter = new Interpreter(link(loadObject(objectBytes('edges'))));
  const s = BigInt.asIntN;
  const u = BigInt.asUintN;
  const swap = (bits: number, value: bigint): bigint =>
    BigInt(
      `0x${(
        u(bits, value)
          .toString(16)
          .padStart(bits / 4, '0')
          .match(/../g) ?? []
      )
        .reverse()
        .join('')}`,
    );
  const values = [
    ...[0n, 1n, 2n, 3n, 0x7fn, 0x80n, 0x8000n, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn, 0x1_0000_0000n],
    ...[0x1234_5678_9abc_def0n, 1n << 63n, (1n << 63n) - 1n, 2n ** 64n - 1n, 2n ** 64n - 3n],
  ];

  test.each(values.map((a) => [a]))('of 0x%x, with each other value', (a) => {
    for (const b of values) {
      const bytes = context(a, b, ...Array.from({ length: 21 }, () => 0));
      interpreter.run('run', { context: bytes });
      const div = (bits: number, wrap: typeof s): bigint => {
        const [x, y] = [wrap(bits, a), wrap(bits, b)];
        return y === 0n ? 0n : wrap(bits, x / y);
      };
      const mod = (bits: number, wrap: typeof s): bigint => {
        const [x, y] = [wrap(bits, a), wrap(bits, b)];
        return y === 0n ? x : wrap(bits, x % y);
      };
      const expected = [
        ...[
          a,
          b,
          div(64, u),
          mod(64, u),
          div(32, u),
          mod(32, u),
          div(64, s),
          mod(64, s),
          div(32, s),
          mod(32, s),
        ],
        ...[s(8, a), s(16, a), s(32, a), s(8, a), s(16, a), s(32, a), swap(16, a), swap(32, a), swap(64, a)],
        ...[u(64, a * b), u(64, a << (b & 63n)), a >> (b & 63n), s(64, a) >> (b & 63n)],
      ];
      expect([...new BigUint64Array(bytes.buffer)]).toEqual(expected.map((value) => u(64, value)));
    }
  });
});
