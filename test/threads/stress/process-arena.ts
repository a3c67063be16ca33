import {
  AddressSpace,
  type Configuration,
  check,
  FrameAllocator,
  PageReferences,
  PhysicalMemory,
  Process,
  parseVmallocinfo,
  type Recovery,
  recover,
  share,
  Threads,
  userMappings,
  wasmLoops,
} from '@vmarea/core';
import type { Arena } from '../../../packages/core/test/threads/stress/station.js';
import { deviceOf } from './device.js';
import { callerOf } from './operations.js';
import {
  DEVICE_PAGES,
  LANE_PAGES,
  type ProcessInvitation,
  type ProcessPlaces,
  type SharedProcesses,
} from './process-plan.js';

/** Bytes of all memory, with pages of 4 KiB. */
const BYTES = 64 << 20;
/** Frames for pages. The others are for tables. */
const FRAMES = 2048;
/** Page of the first address that threads use. */
const FIRST = 0x10000;
/** The page after all that a process of a test maps: the lowest half of all formats ends behind it. */
const LAST = 2 ** 26;

/** Makes a kernel with two processes for some threads, and what is done with them between the calls. */
export function processArena(
  { name, format, userFormat, linux }: Configuration,
  lanes: number,
): Arena & { end(): void } {
  const { pageShift } = format;
  const pageBytes = 2 ** pageShift;
  const threads = Threads.create({ most: lanes + 2, logBytes: 256 << 10 });
  const memory = PhysicalMemory.create({
    ...{ bytes: BYTES * 2 ** (pageShift - 12), shared: true, loops: wasmLoops },
  });
  const all = (memory.banks[0]?.bytes ?? 0) / pageBytes;
  const tables = new FrameAllocator(memory, { pageShift, first: 0, frames: all - FRAMES, threads });
  const frames = new FrameAllocator(memory, { pageShift, first: all - FRAMES, frames: FRAMES, threads });
  const kernel = new AddressSpace({ format, linux, memory, frames: tables, ram: frames, threads, cpus: 2 });
  const references = PageReferences.of(frames);
  const options = { kernel, ...(userFormat === undefined ? {} : { userFormat }) };
  const left = new Process(options);
  const right = new Process(options);
  const shared: SharedProcesses = { memory, frames, tables, kernel, left, right };
  const addressOf = (page: number): bigint => BigInt(page) * BigInt(pageBytes);
  const places: ProcessPlaces = {
    device: addressOf(FIRST),
    kind: threads.numberOf(shared),
    pages: Array.from({ length: DEVICE_PAGES }, () => {
      const pfn = frames.allocate();
      references.take(pfn);
      return pfn;
    }),
    contested: addressOf(FIRST + 64),
    lanes: addressOf(FIRST + 128),
  };
  const device = deviceOf(kernel, places.kind, places.pages);
  for (const process of [left, right])
    process.mmap({
      ...{ length: DEVICE_PAGES * pageBytes, address: places.device, fixed: 'noReplace' },
      ...{ read: true, write: true, shared: true, ...device },
    });
  const free = Array.from({ length: lanes }, (_, i) => lanes - 1 - i);
  let dead: number[] = [];
  /** Deaths since the last account: each leaves one reference at most. */
  let dying = 0;
  // What threads free waits for this one, too.
  const timer = setInterval(() => threads.quiesce(), 2);

  return {
    invite(): ProcessInvitation {
      const lane = free.pop();
      if (lane === undefined) throw new Error('more threads than lanes');
      return { description: share(shared), configuration: name, places, lane };
    },
    declareDead(given) {
      const { description, lane } = given as ProcessInvitation;
      threads.declareDead(description.thread);
      dead.push(lane);
      dying++;
    },
    recover() {
      const recovery = recover(threads);
      for (const { pfn, order } of recovery.held) frames.free(pfn, order);
      // Vmalloc memory of finished calls: the threads died before they freed it.
      for (const { info, start } of parseVmallocinfo(kernel.vmallocinfo()))
        if (start !== null && dead.some((lane) => info.caller === callerOf(lane))) kernel.vfree(start);
      for (const lane of dead)
        for (const process of [left, right])
          process.munmap(places.lanes + addressOf(lane * LANE_PAGES), LANE_PAGES * pageBytes);
      free.push(...dead);
      dead = [];
      return wordsOf(recovery);
    },
    account() {
      threads.quiesce();
      // A thread that died between a reference and its mapping has left one too many: the device knows how many it should have.
      const mapped = userMappings(kernel);
      for (const pfn of places.pages) {
        const least = 1 + (mapped.get(pfn) ?? 0);
        if (references.count(pfn) > least + dying)
          throw new Error(`the device's frame ${pfn} has too many users`);
        while (references.count(pfn) > least) references.put(pfn);
      }
      dying = 0;
      const { findings } = check(threads);
      if (findings.length > 0) throw new Error(findings.map(({ text }) => text).join('\n'));
      // Each page has a user: it is mapped, it is of the device, or it is the zero page. Vmalloc memory is freed at once.
      for (let pfn = frames.first; pfn < frames.first + FRAMES; pfn++)
        if (
          frames.isAllocated(pfn) &&
          references.count(pfn) === 0 &&
          frames.calls?.isBeingFreed(pfn) !== true
        )
          throw new Error(`frame ${pfn} has no user`);
      for (const process of [left, right]) requireInside(process, pageBytes);
    },
    end() {
      clearInterval(timer);
      for (const process of [left, right]) process.destroy();
      for (const pfn of places.pages) {
        if (references.count(pfn) !== 1)
          throw new Error(`the device's frame has ${references.count(pfn)} users`);
        references.put(pfn);
      }
      threads.quiesce();
      kernel.destroy();
      threads.quiesce();
      for (const one of [frames, tables])
        if (one.stats().allocated !== 0)
          throw new Error(`${one.stats().allocated} frames are still allocated`);
    },
  };
}

/** Each page that is mapped is in a line of the maps, and may be written only where the line says so. */
function requireInside(process: Process, pageBytes: number): void {
  const lines = process
    .maps()
    .split('\n')
    .flatMap((line) => {
      const [, start, end, write] = /^([0-9a-f]+)-([0-9a-f]+) .(.)/.exec(line) ?? [];
      return start === undefined ? [] : [{ start: BigInt(`0x${start}`), end: BigInt(`0x${end}`), write }];
    });
  for (const { va, count, flags, level } of process.table.leaves(0n, BigInt(LAST * pageBytes), {
    complete: true,
  }))
    for (let i = 0; i < count; i++) {
      const address = va + BigInt(i * pageBytes);
      const line = lines.find(({ start, end }) => start <= address && address < end);
      if (line === undefined) throw new Error(`0x${address.toString(16)} is mapped in no region`);
      const { write, user } = process.table.format.decode(
        { lo: Number(BigInt.asIntN(32, flags)), hi: Number(BigInt.asIntN(32, flags >> 32n)) },
        level,
      );
      if (write && user && line.write !== 'w') throw new Error(`0x${address.toString(16)} may be written`);
    }
}

/** What a recovery found unfinished, in a word each. */
function wordsOf({ tables, givenBack, held, parts }: Recovery): string[] {
  const times = (word: string, count: number): string[] => (count === 0 ? [] : [word]);
  return [
    ...times('calls undone', tables.undone.filter(({ entries }) => entries > 0).length),
    ...times('counts', tables.recounted),
    ...times('tables', tables.freed.length),
    ...times('frames of calls', givenBack.length),
    ...times('frames of threads', held.length),
    ...parts.map((text) => text.replaceAll(/\d+/g, 'n')),
  ];
}
