import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { buildSync } from 'esbuild';
import { expect, test } from 'vitest';
import { arenaAddress, globalBytes, link, loadObject } from '../../src/index.js';
import { arenaMachine } from '../support/arena-machine.js';
import { mapGlobals, objectBytes, u64At } from '../support/objects.js';
import type { Told } from './spin-thread.js';

/** Threads that wait for their turn use a processor up: more of them than processors take seconds. */
const THREADS = 2;
const ROUNDS = 300;
/** A lock that anyone may take next is faster. */
const BSS_ROUNDS = 150_000;

const code = buildSync({
  entryPoints: [fileURLToPath(new URL('./spin-thread.ts', import.meta.url))],
  ...{ bundle: true, write: false, platform: 'node', format: 'cjs', conditions: ['@vmarea/source'] },
  // The threads read no object, and a bundle of this kind has no place of its own.
  define: { 'import.meta.url': '"file:///"' },
}).outputFiles[0]?.text as string;

function threadOf(told: Told): Promise<number> {
  const worker = new Worker(code, { eval: true, workerData: told });
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

test.each(['x86-64', 'arm64-64k', 'riscv64'])(
  'threads count exactly under a lock in an arena of %s',
  async (architecture) => {
    const machine = arenaMachine(architecture, { pages: 4, shared: true });
    const program = link(loadObject(objectBytes('spin')), { arena: machine.port });
    mapGlobals(machine, program);
    const told = { ...machineOf(machine, architecture), program, run: 'count_in_arena', ...together(ROUNDS) };
    const counts = await Promise.all(Array.from({ length: THREADS }, () => threadOf(told)));
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
  const told = { ...machineOf(machine, 'x86-64'), program, run: 'count_in_bss', ...together(BSS_ROUNDS) };
  await Promise.all(Array.from({ length: THREADS }, () => threadOf(told)));
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

/** How the threads of a test begin at the same time. */
function together(rounds: number): Pick<Told, 'rounds' | 'ready' | 'threads'> {
  return { rounds, ready: new Int32Array(new SharedArrayBuffer(4)), threads: THREADS };
}

function machineOf(
  machine: ReturnType<typeof arenaMachine>,
  architecture: string,
): Pick<Told, 'architecture' | 'ram' | 'root' | 'kernVmStart'> {
  return {
    architecture,
    ram: machine.memory.banks[0]?.words.buffer as SharedArrayBuffer,
    root: machine.kernel.table.root,
    kernVmStart: machine.port.kernVmStart,
  };
}
