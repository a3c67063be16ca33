import { parentPort, workerData } from 'node:worker_threads';
import { protection, VmError } from '@vmarea/core';
import { attach, type Given } from './pair.js';

/** The input of a thread of the tests. */
export interface Told {
  readonly given: Given;
  /** `neighbours`: pages of its own beside those of the others. `same`: the pages of all. `loop`: until it is killed. */
  readonly mode: 'neighbours' | 'same' | 'loop';
  readonly thread: number;
  readonly threads: number;
  readonly rounds: number;
}

/** What it did: calls that were made, and calls that were refused since another thread was first. */
export interface Did {
  readonly made: number;
  readonly refused: number;
}

export const BASE = 0xffffc90000000000n;
const PAGE = 4096n;
const RW = protection({ write: true });

const { given, mode, thread, threads, rounds } = workerData as Told;
const { group, table } = attach(given);

/** Calls, and tells whether another thread was first. */
function make(call: () => void): boolean {
  try {
    call();
    return true;
  } catch (error) {
    if (error instanceof VmError && error.code === 'EBUSY') return false;
    throw error;
  }
}

/** Every n-th page of a table is the thread's own. */
function neighbours(): Did {
  for (let i = 0; i < rounds; i++) {
    const page = BigInt(threads * (i % 64) + thread);
    const far = BASE + (BigInt(i % 3) << 30n);
    table.map(far + page * PAGE, [i + 1], RW);
    table.protect(far + page * PAGE, PAGE, { write: false });
    if (
      table.translateWords(Number((far + page * PAGE) >> 32n), Number((far + page * PAGE) & 0xffffffffn)) !==
      i + 1
    )
      throw new Error('another thread has changed the page');
    if (i % 2 === 0) table.unmap(far + page * PAGE, PAGE);
    else {
      const va = far + page * PAGE;
      table.unmapWords(Number(va >> 32n), Number(va & 0xffffffffn));
    }
    if (i % 16 === 0) group.quiesce();
    if (i % 64 === 63 && thread === 0) table.reclaim();
  }
  return { made: rounds, refused: 0 };
}

/** All threads want the same pages, until each has had them `rounds` times. Whoever has them unmaps them. */
function same(): Did {
  let made = 0;
  let refused = 0;
  while (made < rounds) {
    const frames = Uint32Array.from({ length: 40 }, () => thread + 1);
    if (make(() => table.map(BASE, frames, RW))) {
      made++;
      for (let page = 0; page < 40; page++) {
        const pfn = table.translateWords(0xffffc900, page * 4096);
        if (pfn !== thread + 1) throw new Error(`page ${page} of thread ${thread} holds frame ${pfn}`);
      }
      table.unmap(BASE, 40n * PAGE);
    } else refused++;
    if ((made + refused) % 16 === 0) group.quiesce();
  }
  return { made, refused };
}

/** Maps, changes and unmaps 48 pages until it is killed. */
function loop(): never {
  parentPort?.postMessage('started');
  for (let i = 0; ; i++) {
    const va = BASE + BigInt(thread) * (1n << 21n);
    const frames = Uint32Array.from({ length: 48 }, (_, page) => page + 1);
    if (i % 2 === 0) table.map(va, frames, RW);
    else table.mapRange(va, 4096n, 48n * PAGE, RW);
    table.protect(va, 48n * PAGE, { write: false });
    table.unmap(va, 48n * PAGE);
    group.quiesce();
  }
}

if (mode === 'loop') loop();
const did = mode === 'same' ? same() : neighbours();
group.leave();
parentPort?.postMessage(did);
