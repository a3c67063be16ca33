import {
  AddressSpace,
  type Configuration,
  check,
  FrameAllocator,
  PageTable,
  PhysicalMemory,
  parseVmallocinfo,
  type Recovery,
  recover,
  share,
  Threads,
  VM_SPARSE,
  type VmArea,
  wasmLoops,
} from '@vmarea/core';
import type { Arena } from '../../../packages/core/test/threads/stress/station.js';
import { callerOf, clearLane, isOfLane } from './operations.js';
import type { Invitation, Places, Shared } from './plan.js';

/** Bytes of all memory, with pages of 4 KiB. */
const BYTES = 64 << 20;
/** Frames for pages. The others are for tables. */
const FRAMES = 2048;

/** Makes an address space, a page table and allocators for some threads, and what is done with them between the calls. */
export function spaceArena(
  { name, format, linux }: Configuration,
  lanes: number,
  loops: 'wasm' | 'array' = 'wasm',
): Arena & { end(): void } {
  const { pageShift } = format;
  // One more, since a thread that died has its slot until it is recovered.
  const threads = Threads.create({ most: lanes + 2, logBytes: 256 << 10 });
  const memory = PhysicalMemory.create({
    bytes: BYTES * 2 ** (pageShift - 12),
    shared: true,
    ...(loops === 'wasm' ? { loops: wasmLoops } : {}),
  });
  const all = (memory.banks[0]?.bytes ?? 0) / 2 ** pageShift;
  const tables = new FrameAllocator(memory, { pageShift, first: 0, frames: all - FRAMES, threads });
  const frames = new FrameAllocator(memory, { pageShift, first: all - FRAMES, frames: FRAMES, threads });
  const kernel = new AddressSpace({ format, linux, memory, frames: tables, ram: frames, threads, cpus: 2 });
  const table = new PageTable({ format, memory, frames: tables, threads });
  const shared: Shared = { frames, tables, kernel, table };
  const pageBytes = 2 ** pageShift;
  const places: Places = {
    sparse: kernel.getVmArea(3000 * pageBytes, VM_SPARSE).addr,
    contested: kernel.getVmArea(24 * pageBytes, VM_SPARSE).addr,
    lazy: kernel.getLazyArea(64 * pageBytes).area.addr,
    lanes,
  };
  const owners = new SharedArrayBuffer(4 * FRAMES);
  const ownerOf = new Int32Array(owners);
  const free = Array.from({ length: lanes }, (_, i) => lanes - 1 - i);
  let dead: number[] = [];
  // What threads free waits for this one, too.
  const timer = setInterval(() => threads.quiesce(), 2);

  /** Gives back what finished calls of a dead thread had. */
  const clean = (lane: number): void => {
    for (const { info, start } of parseVmallocinfo(kernel.vmallocinfo())) {
      if (info.caller !== callerOf(lane) || start === null) continue;
      if (info.words?.includes('ioremap') === true) kernel.iounmap(start);
      else if (info.words?.includes('sparse') === true) kernel.freeVmArea(kernel.findVmArea(start) as VmArea);
      else kernel.vfree(start);
    }
    const own = kernel.findVmArea(places.sparse) as VmArea;
    for (let page = lane; page < own.pages; page += lanes) if (own.frameAt(page) >= 0) own.unmap(page);
    const contested = kernel.findVmArea(places.contested) as VmArea;
    for (let page = 0; page < contested.pages; page++)
      if (isOfLane(contested.frameAt(page), lane)) contested.unmap(page);
    clearLane({ table, lane, lanes, pageBytes });
  };

  const give = ({ held, givenBack }: Recovery): void => {
    for (const { pfn, order } of [...held, ...givenBack])
      for (let i = 0; i < 2 ** order; i++)
        if (pfn >= frames.first) Atomics.store(ownerOf, pfn + i - frames.first, 0);
    for (const { pfn, order } of held) frames.free(pfn, order);
  };

  return {
    invite(): Invitation {
      const lane = free.pop();
      if (lane === undefined) throw new Error('more threads than lanes');
      return { description: share(shared), configuration: name, places, lane, owners };
    },
    declareDead(given) {
      const { description, lane } = given as Invitation;
      threads.declareDead(description.thread);
      dead.push(lane);
    },
    recover() {
      const recovery = recover(threads);
      give(recovery);
      for (const lane of dead) clean(lane);
      free.push(...dead);
      dead = [];
      return wordsOf(recovery);
    },
    account() {
      threads.quiesce();
      const { findings } = check(threads);
      if (findings.length > 0) throw new Error(findings.map(({ text }) => text).join('\n'));
      const owned = marked(frames);
      const held = ownerOf.reduce((sum, owner) => sum + (owner === 0 ? 0 : 1), 0);
      const allocated = taken(frames);
      if (allocated !== owned + held)
        throw new Error(`${allocated} frames are allocated: areas have ${owned}, threads ${held}`);
    },
    end() {
      clearInterval(timer);
      kernel.vfree(places.lazy);
      for (const place of [places.sparse, places.contested]) {
        const area = kernel.findVmArea(place) as VmArea;
        const { pages } = area.populated();
        if (pages !== 0) throw new Error(`${pages} pages are still mapped`);
        kernel.freeVmArea(area);
      }
      table.destroy();
      kernel.destroy();
      threads.quiesce();
      for (const one of [frames, tables])
        if (one.stats().allocated !== 0)
          throw new Error(`${one.stats().allocated} frames are still allocated`);
    },
  };
}

/** Frames that are allocated, without those that a live thread frees once the others have passed a quiescent point. */
function taken(frames: FrameAllocator): number {
  let count = 0;
  for (let pfn = frames.first; pfn < frames.first + frames.frames; pfn++)
    for (let order = 0; order <= 3; order++)
      if (frames.isAllocated(pfn, order) && frames.calls?.isBeingFreed(pfn) !== true) count += 2 ** order;
  return count;
}

/** Frames of blocks that areas own. Here each block is one frame. */
function marked(frames: FrameAllocator): number {
  let count = 0;
  for (let i = 0; i < FRAMES; i++) if (frames.calls?.marks.has(i) === true) count++;
  return count;
}

/** What a recovery found unfinished, in a word each. */
function wordsOf({ tables, givenBack, held, spaces }: Recovery): string[] {
  const times = (word: string, count: number): string[] => (count === 0 ? [] : [word]);
  return [
    ...times('calls undone', tables.undone.filter(({ entries }) => entries > 0).length),
    ...times('counts', tables.recounted),
    ...times('tables', tables.freed.length),
    ...times('frames of calls', givenBack.length),
    ...times('frames of threads', held.length),
    ...times('areas', spaces.flatMap(({ freed, shrunk }) => [...freed, ...shrunk]).length),
    ...times('leaves', spaces.flatMap(({ found }) => found).length),
  ];
}
