import {
  attachFrames,
  type FlushSink,
  FrameAllocator,
  PageTable,
  type PageTableFormat,
  PhysicalMemory,
  wasmLoops,
} from '@vmarea/core';
import type { SharedRunLoops } from '../../src/loops/run-loops.js';
import { type Bank, loopsOf } from '../../src/memory/bank.js';
import { adoptMemory, describeMemory, type MemoryDescription } from '../../src/memory/share-memory.js';
import { adoptTable, describeTable, type TableDescription } from '../../src/table/shared/share-table.js';
import { TableThreads } from '../../src/table/shared/table-threads.js';
import type { TableContext } from '../../src/table/state/context.js';
import { contextBehind } from '../../src/table/state/registry.js';
import { type GroupBuffers, ThreadGroup } from '../../src/threads/thread-group.js';
import { x86 } from '../formats/x86.js';

export const format: PageTableFormat = x86(4);
const BYTES: number = 64 * 4096;

/** What a second thread is given. */
export interface Given {
  readonly buffers: GroupBuffers;
  readonly invitation: number;
  readonly memory: MemoryDescription;
  readonly table: TableDescription;
  readonly frames: ArrayBufferLike;
  /** Two words of a lock around the allocator. */
  readonly lock: SharedArrayBuffer;
}

/** What one thread has. */
export interface Side {
  readonly group: ThreadGroup;
  readonly threads: TableThreads;
  readonly memory: PhysicalMemory;
  readonly frames: FrameAllocator;
  readonly table: PageTable;
  readonly context: TableContext;
  readonly bank: Bank;
  readonly loops: SharedRunLoops;
  /** Flushes of its sink: address and length. */
  readonly flushes: [bigint, bigint][];
}

/** Lets one thread at a time into the allocator. */
function lockFrames(frames: FrameAllocator, group: ThreadGroup, buffer: SharedArrayBuffer): FrameAllocator {
  const lock = group.lock(new Int32Array(buffer), 0, 'frames');
  const guard = <A extends unknown[], R>(call: (...given: A) => R): ((...given: A) => R) => {
    const bound = call.bind(frames) as (...given: A) => R;
    return (...given) => (lock.isMine ? bound(...given) : lock.with(() => bound(...given)));
  };
  frames.tryAllocate = guard(frames.tryAllocate);
  frames.tryAllocateMany = guard(frames.tryAllocateMany);
  frames.free = guard(frames.free);
  frames.freeMany = guard(frames.freeMany);
  return frames;
}

function sideOf(
  group: ThreadGroup,
  memory: PhysicalMemory,
  frames: FrameAllocator,
  make: (threads: { tables: TableThreads }, sink: FlushSink) => PageTable,
): Side {
  const flushes: [bigint, bigint][] = [];
  const sink: FlushSink = { flush: (va, bytes) => flushes.push([va, bytes]) };
  const threads = new TableThreads(group);
  const table = make({ tables: threads }, sink);
  const bank = memory.banks[0] as Bank;
  const loops = loopsOf(bank) as SharedRunLoops;
  return { group, threads, memory, frames, table, context: contextBehind(table), bank, loops, flushes };
}

/** The first thread, and what a second one is given. */
export function firstSide(hasWasm: boolean, slots = 8): { side: Side; invite: () => Given } {
  const group = ThreadGroup.create(slots);
  const loops = hasWasm ? { loops: wasmLoops } : {};
  const memory = PhysicalMemory.create({ ...loops, bytes: BYTES, shared: true });
  const lock = new SharedArrayBuffer(8);
  const frames = lockFrames(new FrameAllocator(memory, { shared: true }), group, lock);
  const side = sideOf(
    group,
    memory,
    frames,
    (threads, sink) => new PageTable({ format, memory, frames, threads, sink }),
  );
  const invite = (): Given => {
    const invitation = group.registry.invite();
    return {
      ...{ buffers: group.buffers, invitation, lock, frames: frames.state },
      memory: describeMemory(memory),
      table: describeTable(side.table),
    };
  };
  return { side, invite };
}

/** A thread that was invited. In a test it may be the same thread once more, as long as nobody waits. */
export function attach(given: Given): Side {
  const group = new ThreadGroup(given.buffers, given.invitation);
  const memory = adoptMemory(given.memory, group.slot, wasmLoops);
  const frames = lockFrames(attachFrames(given.frames), group, given.lock);
  return sideOf(group, memory, frames, (threads, sink) =>
    adoptTable(given.table, { format, memory, frames, threads, sink }),
  );
}

/** Tables on record whose number of live entries is not what a count says. */
export function wrongCounts({ context, loops, bank }: Side): number[] {
  const wrong: number[] = [];
  context.records?.each((pfn) => {
    const record = context.records?.find(pfn) as number;
    if (context.records?.live(record) !== loops.countLive(bank.wordOf(pfn, 12), 512)) wrong.push(pfn);
  });
  return wrong;
}

/** Number of tables on record. */
export function tablesOf({ context }: Side): number {
  let tables = 0;
  context.records?.each(() => tables++);
  return tables;
}
