import { expect, test } from 'vitest';
import { arenaAddress, globalBytes, link, loadObject } from '../../src/index.js';
import { arenaMachine } from '../support/arena-machine.js';
import { mapGlobals, objectBytes, u64At } from '../support/objects.js';
import { runThreads } from '../support/threads.js';

/** Threads that wait for their turn use a processor up: more of them than processors take seconds. */
const THREADS = 2;
const ROUNDS = 300;
/** A lock that anyone may take next is faster. */
const BSS_ROUNDS = 150_000;

const both = (run: string, rounds: number): [string, number][] =>
  Array.from({ length: THREADS }, () => [run, rounds]);

test.each(['x86-64', 'arm64-64k', 'riscv64'])(
  'threads count exactly under a lock in an arena of %s',
  async (architecture) => {
    const machine = arenaMachine(architecture, { pages: 4, shared: true });
    const program = link(loadObject(objectBytes('spin')), { arena: machine.port });
    mapGlobals(machine, program);
    const counts = await runThreads(machine, architecture, program, both('count_in_arena', ROUNDS));
    for (const count of counts) expect(count).toBeGreaterThan(ROUNDS * 5);
    expect(u64At(machine.read(arenaAddress(program, 'arena_count'), 8))).toBe(BigInt(THREADS * ROUNDS));
    expect(machine.read(arenaAddress(program, 'arena_lock'), 8)).toEqual(
      new Uint8Array(new Uint32Array([THREADS * ROUNDS, THREADS * ROUNDS]).buffer),
    );
  },
);

test('threads count exactly under a lock in .bss, and by an atomic addition of 64 bits', async () => {
  const machine = arenaMachine('x86-64', { pages: 4, shared: true });
  const program = link(loadObject(objectBytes('spin')), { arena: machine.port, shared: true });
  mapGlobals(machine, program);
  await runThreads(machine, 'x86-64', program, both('count_in_bss', BSS_ROUNDS));
  expect(u64At(globalBytes(program, 'bss_count'))).toBe(BigInt(THREADS * BSS_ROUNDS));
  expect(u64At(globalBytes(program, 'bss_atomic'))).toBe(BigInt(THREADS * BSS_ROUNDS) * 0x100000001n);
});

test('a program that is not shared has variables of its own in each copy', () => {
  const { port } = arenaMachine('x86-64', { pages: 4 });
  const program = link(loadObject(objectBytes('spin')), { arena: port });
  const copy = structuredClone(program);
  globalBytes(copy, 'bss_count').fill(1);
  expect(u64At(globalBytes(program, 'bss_count'))).toBe(0n);
  const shared = link(loadObject(objectBytes('spin')), { arena: port, shared: true });
  globalBytes(structuredClone(shared), 'bss_count').fill(1);
  expect(u64At(globalBytes(shared, 'bss_count'))).toBe(0x0101_0101_0101_0101n);
});
