import { type Arena, attachArena, createArena } from '../../../../packages/arena/src/index.js';
import { Word } from '../../../../packages/arena/src/kernel/words.js';
import {
  AddressSpace,
  FrameAllocator,
  PageReferences,
  PhysicalMemory,
  Process,
  type Shareables,
  type Threads,
} from '../../../../packages/core/src/index.js';
import { codeOr, expect } from '../../../../packages/core/test/threads/explorer/cases/group.js';
import {
  type Built,
  type Rooms,
  type RoomsBody,
  roomsCase,
} from '../../../../packages/core/test/threads/explorer/cases/rooms.js';
import { small, smallProcesses } from '../../../../packages/core/test/threads/explorer/cases/small-format.js';
import type { ThreadCase } from '../../../../packages/core/test/threads/explorer/thread-case.js';

const PAGE = 64n;
/** Where programs and users see the arena. */
const START = 0x100n;

/** The arenas of this thread, by what it has beside. */
const arenas = new WeakMap<object, Arena>();

const arenaOf = (of: object): Arena => arenas.get(of) as Arena;

const built: Built = {
  describe: (things) => arenaOf(things).share(),
  attach(rooms, description) {
    const shared = description as ReturnType<Arena['share']>;
    // At the end it may be destroyed.
    if (new Int32Array(shared.state)[Word.destroyed] === 0)
      arenas.set(rooms, attachArena(kernelOf(rooms), shared));
  },
};

/** What is there when the threads begin. */
interface Beginning {
  /** Slots of the arena: 1 to 4. */
  readonly slots: number;
  /** Pages that are allocated, from the first slot on. */
  readonly allocated?: number;
  /** A process maps the arena. Default: true. */
  readonly isMapped?: boolean;
  /** It has mapped the first page. */
  readonly isFaulted?: boolean;
}

function make({ slots, allocated = 0, isMapped = true, isFaulted = false }: Beginning) {
  return (threads: Threads): Shareables => {
    const memory = PhysicalMemory.create({ bytes: 4096, shared: true });
    const frames = new FrameAllocator(memory, { pageShift: 6, threads });
    const kernel = new AddressSpace({ format: small, linux: smallProcesses, memory, frames, threads });
    const arena = createArena(kernel, { maxEntries: slots, mapExtra: START });
    const process = new Process({ kernel, mostRegions: 3 });
    arena.mmap(process);
    // Its tables are there.
    process.handleFault(START, 'write');
    arena.freePages(START, 1);
    if (!isMapped) process.munmap(START, BigInt(slots) * PAGE);
    if (allocated > 0) arena.allocPages(null, allocated);
    if (isFaulted) process.handleFault(START, 'write');
    threads.quiesce();
    const things = { kernel, process };
    arenas.set(things, arena);
    return things;
  };
}

const kernelOf = ({ kernel }: Rooms): AddressSpace => kernel as AddressSpace;
const processOf = ({ processes }: Rooms): Process => processes[0] as Process;

/** A thread has a frame at hand, so that the allocator's lock is no part of the race. */
function body(call: (arena: Arena, rooms: Rooms) => string): RoomsBody {
  return (rooms) => {
    const { frames } = rooms;
    frames.free(frames.allocate());
    return () => codeOr(() => call(arenaOf(rooms), rooms));
  };
}

/** Allocates pages. A hint is a slot. */
const allocating = (count: number, hint?: number): RoomsBody =>
  body((arena) => {
    const page = arena.allocPages(hint === undefined ? null : START + BigInt(hint) * PAGE, count);
    return page === null ? `none: ${arena.lastFailure?.code}` : `page ${(page - START) / PAGE}`;
  });

const freeing = (count: number): RoomsBody => body((arena) => arena.freePages(START, count));
const faulting: RoomsBody = body((_arena, rooms) => String(processOf(rooms).handleFault(START, 'write')));
const reserving: RoomsBody = body((arena) => {
  arena.reservePages(START, 1);
  return 'reserved';
});
const mapping: RoomsBody = body((arena, rooms) => {
  arena.mmap(processOf(rooms));
  return 'mapped';
});
const destroying: RoomsBody = body((arena) => {
  arena.destroy();
  return 'destroyed';
});

/** Physical address of a slot's page, in the window; `null` for none. */
function pageAt(rooms: Rooms, slot: number): bigint | null {
  return kernelOf(rooms).table.translate(arenaOf(rooms).kernVmStart + START + BigInt(slot) * PAGE);
}

/** The slots that are mapped are as many as the arena counts, and have a frame and the right number of references each. */
function expectPages(rooms: Rooms, slots: number): number {
  const found = new Set<bigint>();
  let mapped = 0;
  for (let slot = 0; slot < slots; slot++) {
    const page = pageAt(rooms, slot);
    const user = processOf(rooms).table.translate(START + BigInt(slot) * PAGE);
    expect(user === null || user === page, `slot ${slot}: the user has ${user}, the window ${page}`);
    if (page === null) continue;
    mapped++;
    found.add(page);
    const users = PageReferences.of(rooms.frames).count(Number(page / PAGE));
    expect(users === (user === null ? 1 : 2), `slot ${slot} has ${users} references`);
  }
  expect(found.size === mapped, 'two slots have one frame');
  expect(arenaOf(rooms).memUsage() === BigInt(mapped) * PAGE, `${mapped} pages are mapped`);
  return mapped;
}

/** The pages that requests have got are mapped, and no others but those that were there. */
function requests(slots: number, before: number) {
  return (rooms: Rooms, outcomes: readonly string[]): void => {
    const got = outcomes.filter((outcome) => outcome.startsWith('page'));
    expect(new Set(got).size === got.length, `two requests got one page: ${got}`);
    expect(expectPages(rooms, slots) === before + got.length, `pages for ${outcomes}`);
    for (const outcome of outcomes)
      expect(/^(page \d|none: E(AGAIN|NOMEM|BUSY)|reserved|EBUSY|EAGAIN)$/.test(outcome), outcome);
  };
}

export const cases: Record<string, ThreadCase> = {
  'two allocate a page of two': roomsCase({
    ...{ make: make({ slots: 2 }), built, bodies: [allocating(1), allocating(1)] },
    finish(rooms, outcomes) {
      requests(2, 0)(rooms, outcomes);
      expect(outcomes.includes('page 0') || outcomes.includes('page 1'), 'nobody got a page');
    },
  }),
  'two allocate the only page': roomsCase({
    ...{ make: make({ slots: 1 }), built, bodies: [allocating(1), allocating(1)] },
    finish(rooms, outcomes) {
      requests(1, 0)(rooms, outcomes);
      expect(outcomes.filter((outcome) => outcome === 'page 0').length === 1, `${outcomes}`);
    },
  }),
  'one allocates a page at a hint, one allocates the only page': roomsCase({
    ...{ make: make({ slots: 1 }), built, bodies: [allocating(1, 0), allocating(1)] },
    finish(rooms, outcomes) {
      requests(1, 0)(rooms, outcomes);
      expect(outcomes.filter((outcome) => outcome === 'page 0').length === 1, `${outcomes}`);
    },
  }),
  'one frees the only page, one allocates it': roomsCase({
    ...{ make: make({ slots: 1, allocated: 1 }), built, bodies: [freeing(1), allocating(1)] },
    finish(rooms, [freed, got]) {
      expect(freed === 'freed', `${freed}`);
      expect(/^(page 0|none: E(AGAIN|NOMEM))$/.test(got as string), `${got}`);
      expect(expectPages(rooms, 1) === (got === 'page 0' ? 1 : 0), `a page for ${got}`);
    },
  }),
  'one frees a page that a process maps, one allocates it': roomsCase({
    make: make({ slots: 1, allocated: 1, isFaulted: true }),
    ...{ built, bodies: [freeing(1), allocating(1)] },
    finish(rooms, [freed, got]) {
      expect(freed === 'freed', `${freed}`);
      expect(expectPages(rooms, 1) === (got === 'page 0' ? 1 : 0), `a page for ${got}`);
    },
  }),
  'one faults a page that is there, one frees it': roomsCase({
    ...{ make: make({ slots: 1, allocated: 1 }), built, bodies: [faulting, freeing(1)] },
    finish(rooms, [fault, freed]) {
      expect(/^(mapped|retry)$/.test(fault as string), `${fault}`);
      expect(/^(freed|dropped)$/.test(freed as string), `${freed}`);
      expectPages(rooms, 1);
    },
  }),
  'one faults a page that is not there, one frees it': roomsCase({
    ...{ make: make({ slots: 1 }), built, bodies: [faulting, freeing(1)] },
    finish(rooms, [fault]) {
      expect(/^(mapped|retry)$/.test(fault as string), `${fault}`);
      expectPages(rooms, 1);
    },
  }),
  'one maps the arena, one destroys it': roomsCase({
    ...{ make: make({ slots: 2, isMapped: false }), built, bodies: [mapping, destroying] },
    finish(rooms, outcomes) {
      const isMapped = processOf(rooms).findRegion(START) !== null;
      expect(isMapped === (outcomes[0] === 'mapped'), `${outcomes}`);
      expect(!(isMapped && outcomes[1] === 'destroyed'), 'a process maps a destroyed arena');
      expect(isMapped || outcomes[1] === 'destroyed', `neither: ${outcomes}`);
    },
  }),
  'one reserves the only page, one allocates it': roomsCase({
    ...{ make: make({ slots: 1 }), built, bodies: [reserving, allocating(1)] },
    finish(rooms, outcomes) {
      requests(1, 0)(rooms, outcomes);
      expect(outcomes.includes('reserved') !== outcomes.includes('page 0'), `${outcomes}`);
    },
  }),
  'two free one page': roomsCase({
    ...{ make: make({ slots: 1, allocated: 1 }), built, bodies: [freeing(1), freeing(1)] },
    finish(rooms, outcomes) {
      expect(outcomes.includes('freed'), `${outcomes}`);
      for (const outcome of outcomes) expect(/^(freed|dropped)$/.test(outcome), outcome);
      expect(expectPages(rooms, 1) === 0, 'the page is still there');
    },
  }),
};
