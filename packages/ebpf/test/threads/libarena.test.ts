import { expect, test } from 'vitest';
import { arenaAddress, globalBytes, Interpreter, link, loadObject } from '../../src/index.js';
import { type ArenaMachine, arenaMachine } from '../support/arena-machine.js';
import { mapGlobals, objectBytes, u64At } from '../support/objects.js';
import { runThreads } from '../support/threads.js';

/** A machine with shared memory, and a program whose threads allocate nothing. */
function shared(name: string, architecture: string, megabytes: number) {
  const object = loadObject(objectBytes(name));
  const pages = object.maps[0]?.maxEntries as number;
  const machine = arenaMachine(architecture, { pages, megabytes, shared: true });
  const program = link(object, { arena: machine.port, kfuncs: Object.keys(machine.kfuncs) });
  mapGlobals(machine, program);
  return { machine, program };
}

const numbers = (machine: ArenaMachine, at: bigint, count: number): bigint[] => [
  ...new BigUint64Array(machine.read(at, count * 8).buffer),
];

// The kernel's test has 3 thieves, 64 to 1,024 values, and two resizes while they steal.
test.each([
  ['x86-64', 1000],
  ['x86-64', 64],
  ['riscv64', 1023],
  ['arm64-16k', 512],
] as const)('on %s, an owner and three thieves get each of %i values once', async (architecture, count) => {
  const { machine, program } = shared('spmc', architecture, 16);
  new DataView(program.data).setUint32(
    globalBytes(program, 'page_bytes').byteOffset,
    ...([machine.pageSize, true] as const),
  );
  const interpreter = new Interpreter(program, { arena: machine.port, kfuncs: machine.kfuncs });
  expect(interpreter.run('prepare').value).toBe(0n);
  await runThreads(machine, architecture, program, [
    ['own', count],
    ['rob', 0],
    ['rob', 0],
    ['rob', 0],
  ]);
  const counts = numbers(machine, arenaAddress(program, 'counts'), 5);
  const values = u64At(machine.read(arenaAddress(program, 'values'), 8));
  const all = counts.flatMap((taken, who) =>
    numbers(machine, values + BigInt(who * 1024 * 8), Number(taken)).map(Number),
  );
  expect(all.sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i + 1));
  expect(counts[3]).toBe(0n);
});

test('a queue that nobody steals from is resized four times, and holds 1,023 values', () => {
  const { machine, program } = shared('spmc', 'x86-64', 16);
  const interpreter = new Interpreter(program, { arena: machine.port, kfuncs: machine.kfuncs });
  interpreter.run('prepare');
  const add = (from: bigint, count: bigint): bigint =>
    interpreter.run('add_some', { context: new Uint8Array(new BigUint64Array([from, count]).buffer) }).value;
  expect(add(1n, 1023n)).toBe(0n);
  expect(u64At(machine.read(arenaAddress(program, 'resizes'), 8))).toBe(4n);
  expect(add(1024n, 1n)).toBe(1n);
  for (let i = 1023n; i > 0n; i--) expect(interpreter.run('take_one').value).toBe(i);
});

test.each(['x86-64', 'arm64-64k'])(
  'on %s, two threads take each bit of a bitmap once',
  async (architecture) => {
    const { machine, program } = shared('bitmap', architecture, 16);
    await runThreads(machine, architecture, program, [
      ['take_all', 0],
      ['take_all', 0],
    ]);
    const taken = numbers(machine, arenaAddress(program, 'taken'), 4);
    expect(taken.reduce((sum, one) => sum + one)).toBe(1000n);
    const words = numbers(machine, arenaAddress(program, 'words'), 16);
    expect(words).toEqual([...Array(15).fill(2n ** 64n - 1n), (1n << 40n) - 1n]);
  },
);
