import { type FlushSink, FrameAllocator, PageTable, PhysicalMemory, wasmLoops } from '@vmarea/core';
import type { Flush, machine } from '@vmarea/testkit';
import { TableThreads } from '../../src/table/shared/table-threads.js';
import { ThreadGroup } from '../../src/threads/thread-group.js';
import type { MakeMachine } from '../support/model/world.js';

/** A machine whose page table belongs to a group of threads, of which this is the only one. */
function sharedMachine(
  hasWasm: boolean,
  [format, tableFrames = 64, base = 0n, sink]: Parameters<typeof machine>,
): ReturnType<MakeMachine> {
  const pageBytes = 2 ** format.pageShift;
  const loops = hasWasm ? { loops: wasmLoops } : {};
  const memory = PhysicalMemory.create({ ...loops, bytes: tableFrames * pageBytes, base, shared: true });
  const frames = new FrameAllocator(memory, { pageShift: format.pageShift, shared: true });
  const flushes: Flush[] = [];
  const recorder: FlushSink = {
    flush: (va, bytes, leafShift, tablesFreed, asid) => {
      flushes.push({ va, bytes, leafShift, tablesFreed: [...tablesFreed] });
      sink?.flush(va, bytes, leafShift, tablesFreed, asid);
    },
  };
  const group = ThreadGroup.create(2);
  const threads = { tables: new TableThreads(group) };
  const table = new PageTable({ format, memory, frames, sink: recorder, threads });
  return { format, memory, frames, table, flushes, pageBytes, quiesce: () => group.quiesce() };
}

export const wasmMachine: MakeMachine = (...given) => sharedMachine(true, given);
export const arrayMachine: MakeMachine = (...given) => sharedMachine(false, given);
