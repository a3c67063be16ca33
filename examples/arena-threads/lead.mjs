import { Worker } from 'node:worker_threads';
import { createArena } from '@vmarea/arena';
import {
  AddressSpace,
  check,
  FrameAllocator,
  PhysicalMemory,
  Process,
  share,
  Threads,
  wasmLoops,
} from '@vmarea/core';
import { storeArenaGlobals } from '@vmarea/ebpf';
import { x8664, x8664Linux } from '@vmarea/x86-64';
import { interpreterOf, objects, Word } from './machine.mjs';

/**
 * Makes a machine, leads the workers, and looks at what they left.
 *
 * @param {string} name - of the program.
 */
export async function lead(name) {
  const threads = Threads.create({ most: 6 });
  const memory = PhysicalMemory.create({ bytes: 64 << 20, shared: true, loops: wasmLoops });
  const frames = new FrameAllocator(memory, { threads });
  const kernel = new AddressSpace({ format: x8664(), linux: x8664Linux(), memory, frames, threads });
  const map = objects[name]?.maps[0];
  if (map === undefined) throw new Error('the object has no arena');
  const arena = createArena(kernel, { maxEntries: map.maxEntries, flags: map.flags });
  const [first, second] = [new Process({ kernel }), new Process({ kernel })];
  for (const user of [first, second]) arena.mmap(user);

  // The program's variables in the arena take its last page.
  const { program } = interpreterOf(arena, name);
  arena.allocPages(arena.userVmStart + BigInt(program.arenaGlobals?.offset ?? 0), 1);
  storeArenaGlobals(program, arena.port());

  const words = new Int32Array(new SharedArrayBuffer(12));
  /**
   * @param {string} role
   * @param {number} number
   */
  const start = (role, number, user = first) => {
    const parts = share({ kernel, process: user });
    const workerData = { name, role, number, words, parts, arena: arena.share() };
    const worker = new Worker(process.argv[1], { workerData });
    const said = new Promise((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
    return { said, ended: new Promise((resolve) => worker.once('exit', resolve)) };
  };
  const workers = [
    start('program', 0),
    start('program', 1),
    start('user', 0, first),
    start('user', 1, second),
    start('churn', 0),
  ];
  // Frames that workers free wait until this thread has passed a quiescent point, too.
  const timer = setInterval(() => threads.quiesce(), 1);
  await Promise.all([workers[0].said, workers[1].said]);
  Atomics.store(words, Word.isDone, 1);
  for (const { said } of workers) console.log(await said);
  await Promise.all(workers.map(({ ended }) => ended));
  clearInterval(timer);

  console.log(`${arena.memUsage()} bytes are used; ${check(threads).findings.length} findings`);
  for (const user of [first, second]) user.destroy();
  arena.destroy();
  kernel.destroy();
  threads.quiesce();
  console.log(`${frames.stats().allocated} frames are left`);
}
