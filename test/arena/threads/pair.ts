import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import {
  type Arena,
  type ArenaOptions,
  type ArenaView,
  type AttachArenaOptions,
  attachArena,
  createArena,
} from '@vmarea/arena';
import { configurations } from '@vmarea/arm64';
import {
  AddressSpace,
  attach,
  type Configuration,
  FrameAllocator,
  PhysicalMemory,
  Process,
  recover,
  type SharedPart,
  share,
  Threads,
  wasmLoops,
} from '@vmarea/core';
import { ThreadGroup } from '../../../packages/core/src/threads/thread-group.js';
import type { Accounted } from './account.js';

/** Pages of 64 KiB: the tables of a window are few. */
const machine = configurations.find(({ name }) => name === 'arm64-64k-48') as Configuration;
const SHIFT = 16;
export const PAGE: bigint = 1n << BigInt(SHIFT);
export const START: bigint = 1n << 32n;

/** One thread of several, as long as none waits for another. */
export interface Side extends Accounted {
  readonly kernel: AddressSpace;
  readonly process: Process;
  /** The program, by the arena's own processor. */
  readonly program: ArenaView;
  readonly user: ArenaView;
}

/** Two threads with one arena and one process. */
export interface Pair {
  readonly one: Side & { makeProcess(): Process };
  readonly two: Side;
  /**
   * The second thread dies wherever it is, and the first one recovers.
   *
   * @param seesLate - the first locks that the recovery takes are none of processes, as if all had been made since.
   */
  bury(seesLate?: boolean): readonly string[];
}

/**
 * Makes them, both in this thread.
 *
 * @param pages - of the arena and the process, with the zero page and the scratch page.
 * @param isMapped - the process maps the arena.
 */
export function pairOf(
  options: Partial<ArenaOptions> = {},
  ofSecond: AttachArenaOptions = {},
  pages = 24,
  isMapped = true,
): Pair {
  const { format, linux, userFormat } = machine;
  const threads = Threads.create({ most: 3, logBytes: 64 << 10 });
  const tablePages = 40;
  const memory = PhysicalMemory.create({
    bytes: (tablePages + pages) << SHIFT,
    shared: true,
    loops: wasmLoops,
  });
  const tables = new FrameAllocator(memory, { pageShift: SHIFT, first: 0, frames: tablePages, threads });
  const frames = new FrameAllocator(memory, { pageShift: SHIFT, first: tablePages, frames: pages, threads });
  const kernel = new AddressSpace({ format, linux, memory, frames: tables, ram: frames, threads });
  const arena = createArena(kernel, { maxEntries: 4, mapExtra: START, ...options });
  const makeProcess = () => new Process({ kernel, ...(userFormat === undefined ? {} : { userFormat }) });
  const process = makeProcess();
  if (isMapped) arena.mmap(process);
  const one = { ...sideOf(threads, kernel, process, arena), makeProcess };
  // The second thread has buffers of its own over the same memory, as in another thread.
  const things = { kernel, process };
  const { parts, thread } = cloned(share(things));
  const second = new Threads(new ThreadGroup(parts.group, thread));
  const given = attach(cloned(share(things)), {
    formats: userFormat === undefined ? [format] : [format, userFormat],
    policies: [linux],
    loops: wasmLoops,
  });
  const attached = attachArena(given.kernel, cloned(arena.share()), ofSecond);
  return {
    one,
    two: sideOf(second, given.kernel, given.process, attached),
    bury(seesLate = false) {
      threads.declareDead(second.id);
      if (seesLate) hideLocksOnce(threads);
      return recover(threads).parts;
    },
  };
}

function hideLocksOnce(threads: Threads): void {
  const part = [...threads.here.parts].find(({ rank }) => rank === 0) as SharedPart;
  const { locks } = part;
  let looks = 0;
  Object.defineProperty(part, 'locks', { get: () => (looks++ === 0 ? [] : locks), configurable: true });
}

function sideOf(threads: Threads, kernel: AddressSpace, process: Process, arena: Arena): Side {
  return {
    ...{ threads, kernel, process, arena, processes: [process], frames: kernel.ram },
    program: arena.view(),
    user: arena.view({ by: process }),
  };
}

/** As a message brings it to another thread. */
function cloned<T>(value: T): T {
  const { port1, port2 } = new MessageChannel();
  port1.postMessage(value);
  const received = receiveMessageOnPort(port2) as { message: T };
  port1.close();
  return received.message;
}

/** Both threads pass quiescent points, until nothing that was freed waits. */
export function quiesceAll(...sides: readonly Side[]): void {
  for (let round = 0; round < 3; round++) for (const { threads } of sides) threads.quiesce();
}
