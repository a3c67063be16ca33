import {
  FrameAllocator,
  PageTable,
  PhysicalMemory,
  protection,
  type Threads,
} from '../../../../src/index.js';
import type { ThreadCase } from '../thread-case.js';
import { codeOr, expect } from './group.js';
import { type Rooms, type RoomsBody, roomsCase } from './rooms.js';
import { small } from './small-format.js';

const RW = protection({ write: true });
const PAGE = 64;
/** Number of the page that is mapped at the beginning of a case that has one. */
const MAPPED = 7;

/** An empty page table in a memory of 64 frames. */
function empty(threads: Threads): { table: PageTable } {
  const memory = PhysicalMemory.create({ bytes: 4096, shared: true });
  const frames = new FrameAllocator(memory, { pageShift: 6, threads });
  return { table: new PageTable({ format: small, memory, frames, threads }) };
}

/** The same with one table, in which one page is mapped. */
function begun(threads: Threads): { table: PageTable } {
  const { table } = empty(threads);
  table.map(BigInt(MAPPED * PAGE), [MAPPED], RW);
  return { table };
}

/** Has a frame at hand, so that the allocator's lock is no part of the race. */
function withFrame({ frames }: Rooms): void {
  frames.free(frames.allocate());
}

const tableOf = ({ table }: Rooms): PageTable => table as PageTable;

/** Maps a page. */
function mapping(page: number, pfn = page, hasFrame = true): RoomsBody {
  return (rooms) => {
    if (hasFrame) withFrame(rooms);
    return () =>
      codeOr(() => {
        tableOf(rooms).map(BigInt(page * PAGE), [pfn], RW);
        return 'mapped';
      });
  };
}

/** Maps two pages: both or none. */
function mappingTwo(page: number): RoomsBody {
  return (rooms) => () =>
    codeOr(() => {
      tableOf(rooms).map(BigInt(page * PAGE), [page, page + 1], RW);
      return 'mapped';
    });
}

/** Maps a page by the call for single pages. */
function mappingOne(page: number, pfn = page): RoomsBody {
  return (rooms) => {
    withFrame(rooms);
    return () =>
      codeOr(() => {
        tableOf(rooms).mapWords(0, page * PAGE, pfn, RW);
        return 'mapped';
      });
  };
}

/** Maps a page by the call for single pages, in the table of the last such call. */
function mappingAgain(page: number): RoomsBody {
  return (rooms) => {
    const map = (): void => tableOf(rooms).mapWords(0, page * PAGE, page, RW);
    withFrame(rooms);
    map();
    tableOf(rooms).unmapWords(0, page * PAGE);
    return () =>
      codeOr(() => {
        map();
        return 'mapped';
      });
  };
}

/** Unmaps a page and takes out its table if it is empty. */
function reclaiming(page: number): RoomsBody {
  return (rooms) => () =>
    codeOr(() => {
      tableOf(rooms).unmap(BigInt(page * PAGE), PAGE, { reclaim: true });
      return 'unmapped';
    });
}

/** Unmaps a page. */
function unmapping(page: number): RoomsBody {
  return (rooms) => () =>
    codeOr(() => {
      tableOf(rooms).unmap(BigInt(page * PAGE), PAGE);
      return 'unmapped';
    });
}

function protecting(page: number): RoomsBody {
  return (rooms) => () =>
    codeOr(() => {
      tableOf(rooms).protect(BigInt(page * PAGE), PAGE, { write: false });
      return 'protected';
    });
}

/** Pages that threads said they mapped are mapped, those that they unmapped are not. */
function pages(mapped: readonly (readonly [number, number])[], unmapped: readonly number[] = []) {
  return (rooms: Rooms, outcomes: readonly string[]): void => {
    mapped.forEach(([page, thread]) => {
      const pfn = tableOf(rooms).translateWords(0, page * PAGE);
      if (outcomes[thread] === 'mapped') expect(pfn === page, `page ${page} leads to ${pfn}`);
      // A thread that died has mapped it or not.
      else if (outcomes[thread] !== 'died') expect(pfn === -1, `page ${page} leads to ${pfn}`);
    });
    for (const page of unmapped) {
      const pfn = tableOf(rooms).translateWords(0, page * PAGE);
      if (!outcomes.includes('died')) expect(pfn === -1, `page ${page} leads to ${pfn}`);
    }
  };
}

/** Of two threads that map one page, one has it. */
function oneOf(page: number, pfns: readonly number[]) {
  return (rooms: Rooms, outcomes: readonly string[]): void => {
    const pfn = tableOf(rooms).translateWords(0, page * PAGE);
    const winner = outcomes.indexOf('mapped');
    expect(
      outcomes.filter((outcome) => outcome === 'mapped').length <= 1,
      'two threads have mapped one page',
    );
    if (winner >= 0)
      expect(pfn === pfns[winner], `thread ${winner} has mapped the page, and it leads to ${pfn}`);
    else expect(outcomes.includes('died'), 'nobody has mapped the page');
  };
}

/** Pages 0 and 1 are those of thread 0, pages 1 and 2 those of thread 1. */
function ofTwo(rooms: Rooms, outcomes: readonly string[]): void {
  const mapped = [0, 1, 2].filter((page) => tableOf(rooms).translateWords(0, page * PAGE) === page);
  const right = { 'mapped, EBUSY': '0,1', 'EBUSY, mapped': '1,2', 'EBUSY, EBUSY': '' }[outcomes.join(', ')];
  expect(mapped.join() === right, `pages ${mapped} are mapped`);
}

/** Of pages 0 and 1, a thread that died has mapped both or none. Page 2 is another thread's. */
function bothOrNone(rooms: Rooms, outcomes: readonly string[]): void {
  const pfns = [0, 1, 2].map((page) => tableOf(rooms).translateWords(0, page * PAGE)).join();
  // Before the recovery it may be in between.
  const isMended = rooms.threads.dead.length === 0 && outcomes[0] === 'died';
  if (isMended) expect(pfns === '0,1,2' || pfns === '-1,-1,2', `the pages lead to ${pfns}`);
  if (outcomes[0] === 'mapped') expect(pfns === '0,1,2', `the pages lead to ${pfns}`);
}

/** A neighbour of the page that is mapped at the beginning. */
const NEXT = MAPPED - 1;

/** Translates a page, and passes a quiescent point. What it finds in between must be one of two things. */
function translating(page: number, rounds = 1): RoomsBody {
  return (rooms) => () => {
    for (let round = 0; round < rounds; round++) {
      const pfn = tableOf(rooms).translateWords(0, page * PAGE);
      expect(pfn === page || pfn === -1, `page ${page} leads to ${pfn}`);
      rooms.threads.quiesce();
    }
    return 'read';
  };
}

/** Takes a table out, and writes into its frame as soon as it gets it. */
function reusing(page: number): RoomsBody {
  return (rooms) => {
    const { frames, table, threads } = rooms;
    const { memory } = frames;
    const context = tableOf(rooms);
    const pfn = Number(context.walk(BigInt(page * PAGE)).steps[1]?.address ?? 0n) >> 6;
    return () => {
      table?.unmap(BigInt(page * PAGE), PAGE, { reclaim: true });
      threads.quiesce();
      threads.quiesce();
      if (frames.isAllocated(pfn)) return 'waits';
      // It is free: whoever takes it next writes what it likes, such as leaves to frame 63.
      for (let at = pfn * 64; at < pfn * 64 + 64; at += 8) memory?.write64(BigInt(at), 63n * 64n + 3n);
      return 'used again';
    };
  };
}

/** Takes the table of a page out, and gives its frame back. */
function givingBack(page: number): RoomsBody {
  return (rooms) => () =>
    codeOr(() => {
      tableOf(rooms).unmap(BigInt(page * PAGE), PAGE, { reclaim: true });
      for (let point = 0; point < 2; point++) rooms.threads.quiesce();
      return rooms.threads.pending === 0 ? 'given back' : 'waits';
    });
}

/** Passes a quiescent point. */
const passing: RoomsBody = (rooms) => () => {
  rooms.threads.quiesce();
  return 'passed';
};

export const cases: Record<string, ThreadCase> = {
  'two map neighbours in a table that neither finds': roomsCase({
    make: empty,
    bodies: [mapping(0), mapping(1)],
    finish: pages([
      [0, 0],
      [1, 1],
    ]),
  }),
  'two map single neighbours in a table that neither finds': roomsCase({
    make: empty,
    bodies: [mappingOne(0), mappingOne(1)],
    finish: pages([
      [0, 0],
      [1, 1],
    ]),
  }),
  'three map neighbours in a table that none finds': roomsCase({
    make: empty,
    bodies: [mapping(0), mapping(1), mapping(2)],
    finish: pages([
      [0, 0],
      [1, 1],
      [2, 2],
    ]),
  }),
  'two map neighbours in a table that neither finds, with no frame at hand': roomsCase({
    make: empty,
    bodies: [mapping(0, 0, false), mapping(1, 1, false)],
    finish: pages([
      [0, 0],
      [1, 1],
    ]),
  }),
  'two map neighbours in a table that neither finds, and one dies': roomsCase({
    make: empty,
    bodies: [mapping(0), mapping(1)],
    mortal: [0],
    finish: pages([
      [0, 0],
      [1, 1],
    ]),
  }),
  'two map one page': roomsCase({
    make: begun,
    bodies: [mapping(0, 1), mapping(0, 2)],
    finish: oneOf(0, [1, 2]),
  }),
  'two map one page of a table that neither finds': roomsCase({
    make: empty,
    bodies: [mapping(0, 1), mapping(0, 2)],
    finish: oneOf(0, [1, 2]),
  }),
  'two map one page, and one dies': roomsCase({
    make: begun,
    bodies: [mapping(0, 1), mapping(0, 2)],
    mortal: [0],
    finish: oneOf(0, [1, 2]),
  }),
  'two map two pages each, of which they share one': roomsCase({
    make: begun,
    bodies: [mappingTwo(0), mappingTwo(1)],
    finish: ofTwo,
  }),
  'one maps two pages and dies, one maps another': roomsCase({
    make: begun,
    bodies: [mappingTwo(0), mapping(2)],
    mortal: [0],
    finish: bothOrNone,
  }),
  'one maps, one unmaps its neighbour and takes out the table': roomsCase({
    make: begun,
    bodies: [mapping(NEXT), reclaiming(MAPPED)],
    finish: pages([[NEXT, 0]], [MAPPED]),
  }),
  'one maps again in the table of its last call, one takes it out': roomsCase({
    make: begun,
    bodies: [mappingAgain(NEXT), reclaiming(MAPPED)],
    finish: pages([[NEXT, 0]], [MAPPED]),
  }),
  'one maps, one takes out the table, and dies': roomsCase({
    make: begun,
    bodies: [mapping(NEXT), reclaiming(MAPPED)],
    mortal: [1],
    isLong: true,
    finish: pages([[NEXT, 0]], [MAPPED]),
  }),
  'one maps and dies, one takes out the table': roomsCase({
    make: begun,
    bodies: [mapping(NEXT), reclaiming(MAPPED)],
    mortal: [0],
    isLong: true,
    finish: pages([[NEXT, 0]], [MAPPED]),
  }),
  'one takes out a table, gives its frame back, and dies': roomsCase({
    make: begun,
    bodies: [passing, givingBack(MAPPED)],
    mortal: [1],
  }),
  'two unmap one page': roomsCase({
    make: begun,
    bodies: [unmapping(MAPPED), unmapping(MAPPED)],
    finish: pages([], [MAPPED]),
  }),
  'one unmaps and dies, one maps the page': roomsCase({
    make: begun,
    bodies: [unmapping(MAPPED), mapping(MAPPED, 1)],
    mortal: [0],
  }),
  'one unmaps, one changes the protection': roomsCase({
    make: begun,
    bodies: [unmapping(MAPPED), protecting(MAPPED)],
    finish: pages([], [MAPPED]),
  }),
  'one translates, one takes out the table and uses its frame': roomsCase({
    make: begun,
    bodies: [translating(MAPPED, 2), reusing(MAPPED)],
  }),
};
