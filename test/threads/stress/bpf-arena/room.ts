import { type ArenaRelease, type Arena as BpfArena, createArena } from '@vmarea/arena';
import {
  AddressSpace,
  type Configuration,
  FrameAllocator,
  PhysicalMemory,
  Process,
  type Recovery,
  recover,
  share,
  Threads,
  wasmLoops,
} from '@vmarea/core';
import type { Arena } from '../../../../packages/core/test/threads/stress/station.js';
import { account } from '../../../arena/threads/account.js';
import { type Invitation, PAGES, type Shared, START } from './plan.js';

/** Frames for pages: more than the arena has, since some wait for quiescent points. */
const FRAMES = 2048;

/** Makes a machine with an arena and two processes, for some threads, and what is done with them between the calls. */
export function arenaRoom(
  { name, format, linux, userFormat }: Configuration,
  lanes: number,
  release: ArenaRelease = 'three-state',
): Arena & { end(): void } {
  const { pageShift } = format;
  const threads = Threads.create({ most: lanes + 2, logBytes: 256 << 10 });
  const tablePages = Math.ceil(2 ** 32 / 2 ** pageShift / (2 ** pageShift / 8)) + 800;
  const memory = PhysicalMemory.create({
    bytes: (tablePages + FRAMES) * 2 ** pageShift,
    shared: true,
    loops: wasmLoops,
  });
  const tables = new FrameAllocator(memory, { pageShift, first: 0, frames: tablePages, threads });
  const frames = new FrameAllocator(memory, { pageShift, first: tablePages, frames: FRAMES, threads });
  const kernel = new AddressSpace({ format, linux, memory, frames: tables, ram: frames, threads, cpus: 2 });
  const arena = createArena(kernel, { maxEntries: PAGES, mapExtra: START, release });
  const ofUser = userFormat === undefined ? {} : { userFormat };
  const [first, second] = [new Process({ kernel, ...ofUser }), new Process({ kernel, ...ofUser })];
  for (const process of [first, second]) arena.mmap(process);
  const shared: Shared = { frames, kernel, first, second };
  const owners = new SharedArrayBuffer(4 * PAGES);
  const ownerOf = new Int32Array(owners);
  const free = Array.from({ length: lanes }, (_, i) => lanes - 1 - i);
  let dead: number[] = [];
  let mayBeOwnerless = 0;
  // What threads free waits for this one, too.
  const timer = setInterval(() => threads.quiesce(), 2);

  /** Frees pages of a slot whatever stands in the way for a moment. */
  const giveBack = (slot: number): void => {
    while (arena.freePages(START + BigInt(slot * 2 ** pageShift), 1) === 'dropped');
    arena.runWorker();
  };

  return {
    invite(): Invitation {
      const lane = free.pop();
      if (lane === undefined) throw new Error('more threads than lanes');
      return { description: share(shared), arena: arena.share(), configuration: name, lane, owners };
    },
    declareDead(given) {
      const { description, lane } = given as Invitation;
      threads.declareDead(description.thread);
      dead.push(lane);
    },
    recover() {
      const recovery = recover(threads);
      for (const lane of dead)
        for (let slot = 0; slot < PAGES; slot++)
          if (Atomics.compareExchange(ownerOf, slot, lane + 1, 0) === lane + 1) giveBack(slot);
      // A thread may have died with pages that it had not noted as its own yet.
      mayBeOwnerless += 24 * dead.length;
      free.push(...dead);
      dead = [];
      return wordsOf(recovery);
    },
    account() {
      arena.runWorker();
      mayBeOwnerless -= freeOwnerless(arena, ownerOf, giveBack);
      if (mayBeOwnerless < 0) throw new Error('pages of live threads have no owner');
      mayBeOwnerless = 0;
      threads.quiesce();
      account({ arena, processes: [first, second], frames, threads });
    },
    end() {
      clearInterval(timer);
      for (let slot = 0; slot < PAGES; slot++) giveBack(slot);
      threads.quiesce();
      if (arena.memUsage() !== 0n) throw new Error(`${arena.memUsage()} bytes are still mapped`);
      first.destroy();
      second.destroy();
      arena.destroy();
      kernel.destroy();
      threads.quiesce();
      for (const one of [frames, tables])
        if (one.stats().allocated !== 0)
          throw new Error(`${one.stats().allocated} frames are still allocated`);
    },
  };
}

/** Frees pages that are mapped and that no thread knows. @returns how many there were. */
function freeOwnerless(arena: BpfArena, ownerOf: Int32Array, giveBack: (slot: number) => void): number {
  const { kernel, kernVmStart } = arena;
  const pageBytes = 2 ** kernel.table.format.pageShift;
  let found = 0;
  for (let slot = 0; slot < PAGES; slot++) {
    if (ownerOf[slot] !== 0) continue;
    const address = START + BigInt(slot * pageBytes);
    const isMapped = kernel.table.translate(kernVmStart + BigInt.asUintN(32, address)) !== null;
    const isTaken = !isMapped && arena.allocPages(address, 1) === null;
    if (!isMapped && !isTaken) {
      giveBack(slot);
      continue;
    }
    found++;
    giveBack(slot);
  }
  return found;
}

/** What a recovery found unfinished, in a word each. */
function wordsOf({ tables, givenBack, held, parts }: Recovery): string[] {
  const times = (word: string, count: number): string[] => (count === 0 ? [] : [word]);
  return [
    ...times('calls undone', tables.undone.filter(({ entries }) => entries > 0).length),
    ...times('counts', tables.recounted),
    ...times('frames of calls', givenBack.length),
    ...times('frames of threads', held.length),
    ...parts.map((text) => text.replace(/[:0-9].*/, '')),
  ];
}
