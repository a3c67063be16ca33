import {
  AddressSpace,
  check,
  type FrameAllocator,
  PageReferences,
  type PageTable,
  type PhysicalMemory,
  type Process,
  recover,
  type Shareables,
  share,
  Threads,
} from '../../../../src/index.js';
import { adoptFrames } from '../../../../src/memory/frames/shared/describe-frames.js';
import { adoptMemory } from '../../../../src/memory/share-memory.js';
import { adoptProcess } from '../../../../src/process/shared/adopt-process.js';
import { openProcesses } from '../../../../src/process/shared/open-processes.js';
import { RegionWords } from '../../../../src/process/shared/region-words.js';
import type { DescribedParts, Description } from '../../../../src/sharing/share.js';
import { adoptTable } from '../../../../src/table/shared/share-table.js';
import { TableRecords } from '../../../../src/table/state/table-records.js';
import { SlotWord, State, slotAt } from '../../../../src/threads/layout.js';
import { ThreadGroup } from '../../../../src/threads/thread-group.js';
import { adoptSpace } from '../../../../src/vmap/share-space.js';
import type { ThreadBody, ThreadCase } from '../thread-case.js';
import { expect } from './group.js';
import { small, smallLinux, smallProcesses } from './small-format.js';

/** What a thread has of a case over whole rooms. */
export interface Rooms {
  readonly threads: Threads;
  readonly frames: FrameAllocator;
  /** `null` in a case of frames alone. */
  readonly table: PageTable | null;
  /** `null` in a case without areas. */
  readonly kernel: AddressSpace | null;
  readonly processes: readonly Process[];
}

/** How such a case begins, what its threads do, and what holds at its end. */
export interface RoomsCase {
  /** Makes what is shared. */
  readonly make: (threads: Threads) => Shareables;
  /** What is built on it, and shared by a description of its own. */
  readonly built?: Built;
  readonly bodies: readonly RoomsBody[];
  readonly mortal?: readonly number[];
  /** Waits that may end by their timeout; 0 when omitted. */
  readonly timeouts?: number;
  readonly isLong?: boolean;
  /** Looks at the end, before and after the recovery of all that threads left. */
  readonly finish?: (rooms: Rooms, outcomes: readonly string[]) => void;
}

/** Something of another package. */
export interface Built {
  /** Plain data for another thread. */
  describe(things: Shareables): unknown;
  /** Makes it in a thread. */
  attach(rooms: Rooms, description: unknown): void;
}

/** Prepares a thread (not explored), and gives what it does (explored). */
export type RoomsBody = (rooms: Rooms, thread: number) => () => string;

/** The shared buffers after a case's beginning, and what names them. */
interface Template {
  readonly bytes: readonly Uint8Array[];
  readonly parts: DescribedParts;
  /** Of what is built on it. */
  readonly more: unknown;
  readonly buffers: readonly SharedArrayBuffer[];
  /** Of each thread, and of one that looks at the end. */
  readonly invitations: readonly number[];
}

/**
 * A case over the real allocator and page table. Each thread of the explorer makes the beginning once: it is the same
 * in all of them. Then only the bytes of the case's buffers count.
 */
export function roomsCase({ make, built, bodies, finish = () => {}, ...rest }: RoomsCase): ThreadCase {
  let made: Template | undefined;
  const template = (): Template => {
    made ??= templateOf(bodies.length, make, built);
    return made;
  };
  const roomsOf = (shared: readonly SharedArrayBuffer[], thread: number): Rooms => {
    const { parts, more } = partsIn(template(), shared);
    const rooms = roomsIn(parts, groupOf(shared, thread));
    built?.attach(rooms, more);
    return rooms;
  };
  const control = (): number => template().buffers.indexOf(template().parts.group.control);
  const groupOf = (shared: readonly SharedArrayBuffer[], thread: number): ThreadGroup =>
    new ThreadGroup(partsIn(template(), shared).parts.group, template().invitations[thread] as number);
  return {
    get buffers() {
      return template().bytes.map(({ length }) => length);
    },
    setup(shared) {
      for (const [i, bytes] of template().bytes.entries())
        new Uint8Array(shared[i] as SharedArrayBuffer).set(bytes);
    },
    threads: bodies.map(
      (body): ThreadBody =>
        (shared, thread) =>
          body(roomsOf(shared, thread), thread),
    ),
    ...rest,
    declareDead(shared, thread) {
      const words = new Int32Array(shared[control()] as SharedArrayBuffer);
      const at = slotAt(slotOfThread(thread)) + SlotWord.state;
      Atomics.store(words, at, (Atomics.load(words, at) & -8) | State.dead);
    },
    deathWords: (thread) => [control(), slotAt(slotOfThread(thread)) + SlotWord.state, 1],
    finish(shared, outcomes) {
      const rooms = roomsOf(shared, bodies.length);
      if (!outcomes.includes('died')) {
        expectWhole(rooms);
        expectNothingLost(rooms, outcomes);
      }
      finish(rooms, outcomes);
      // Frees what the threads have retired, and mends what a dead one left.
      for (const token of template().invitations.slice(0, -1))
        rooms.threads.group.registry.declareDead(token);
      const { held } = recover(rooms.threads);
      expect(rooms.threads.dead.length === 0, 'a thread is dead after the recovery');
      rooms.threads.quiesce();
      expectWhole(rooms);
      finish(rooms, outcomes);
      expectNothingLost(rooms, outcomes, held.length);
    },
    nameOf(buffer, word) {
      const names = ['control', 'journal', 'memory'];
      const { parts, buffers } = template();
      const isRecords = buffers[buffer] === parts.tables[0]?.records;
      return `${isRecords ? 'records' : buffers[buffer] === parts.allocators[0]?.state ? 'frames' : names[buffer]} word ${word}`;
    },
  };
}

/** The creator has left slot 0. */
function slotOfThread(thread: number): number {
  return thread + 1;
}

function templateOf(count: number, make: RoomsCase['make'], built: Built | undefined): Template {
  const threads = Threads.create({ most: count + 2, logBytes: 32 << 10 });
  const things = make(threads);
  const descriptions = Array.from({ length: count + 1 }, () => share(things));
  const more = built?.describe(things);
  threads.leave();
  const { parts } = descriptions[0] as Description;
  const buffers: SharedArrayBuffer[] = [];
  withBuffers({ parts, more }, (buffer) => {
    if (!buffers.includes(buffer)) buffers.push(buffer);
    return buffer;
  });
  return {
    ...{ parts, more, buffers },
    bytes: buffers.map((buffer) => new Uint8Array(buffer).slice()),
    invitations: descriptions.map(({ thread }) => thread),
  };
}

/** The descriptions of a case's beginning with the buffers of the case. */
function partsIn(
  { parts, more, buffers }: Template,
  shared: readonly SharedArrayBuffer[],
): Pick<Template, 'parts' | 'more'> {
  return withBuffers(
    { parts, more },
    (buffer) => shared[buffers.indexOf(buffer)] as SharedArrayBuffer,
  ) as Pick<Template, 'parts' | 'more'>;
}

/** A copy of plain data with other buffers. */
function withBuffers(value: unknown, replace: (buffer: SharedArrayBuffer) => SharedArrayBuffer): unknown {
  if (value instanceof SharedArrayBuffer) return replace(value);
  if (Array.isArray(value)) return value.map((one) => withBuffers(one, replace));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, withBuffers(one, replace)]));
}

/** As `attach` makes it. It would give the objects of the execution before. */
function roomsIn(
  { memories, allocators, tables, spaces, processes }: DescribedParts,
  group: ThreadGroup,
): Rooms {
  const threads = new Threads(group);
  const memory = memories.map((one) => adoptMemory(one, group.slot));
  const [described] = allocators as [DescribedParts['allocators'][number]];
  const frames = adoptFrames(described, threads, memory[described.memory] ?? null);
  PageReferences.of(frames, described.references);
  const table = tables.map((one) =>
    adoptTable(one, { format: small, memory: memory[one.memory] as PhysicalMemory, frames, threads }),
  );
  const kernels = spaces.map((one) => {
    const linux = one.list === null ? smallLinux : smallProcesses;
    const parts = { format: small, linux, memory: memory[one.memory] as PhysicalMemory, frames };
    const kernel = adoptSpace(
      one.space,
      parts,
      group,
      (options) => adoptTable(one.table, { ...options, threads } as Parameters<typeof adoptTable>[1]),
      threads,
    );
    const space = AddressSpace.spaceOf(kernel);
    threads.here.spaces.add(space);
    if (one.list !== null) openProcesses(space, threads, one.list);
    return kernel;
  });
  // At the end, some may be gone.
  const left = processes.filter(
    ({ process }) => !new RegionWords(process.regions, process.mostRegions).isGone,
  );
  const faces = left.map(({ process, space }) =>
    adoptProcess(process, { kernel: kernels[space] as AddressSpace, format: small }),
  );
  return { threads, frames, table: table[0] ?? null, kernel: kernels[0] ?? null, processes: faces };
}

/** Frames that processes map, and their zero page. */
function usedBy(frames: FrameAllocator): number {
  const references = PageReferences.of(frames);
  let used = 0;
  for (let pfn = frames.first; pfn < frames.first + frames.frames; pfn++)
    if (references.count(pfn) > 0) used++;
  return used;
}

/** Frames that nobody uses any more, and that wait until no thread can use an old translation. */
function givenUp(frames: FrameAllocator): number {
  const references = PageReferences.of(frames);
  let waiting = 0;
  for (let pfn = frames.first; pfn < frames.first + frames.frames; pfn++)
    if (frames.calls?.isBeingFreed(pfn) === true && references.count(pfn) === 0) waiting++;
  return waiting;
}

/** Tables, counts, free lists and caches agree. */
function expectWhole({ threads }: Rooms): void {
  const { findings } = check(threads);
  expect(findings.length === 0, findings.map(({ text }) => text).join('; '));
}

/**
 * Every frame that is not free is a table, waits until no thread holds it, or is one that a thread's own code took.
 *
 * @param left - frames of the last kind after a recovery, when none waits; before it the threads tell.
 */
function expectNothingLost({ frames, threads }: Rooms, outcomes: readonly string[], left?: number): void {
  const held = outcomes.flatMap((outcome) =>
    [...outcome.matchAll(/has (\d+)/g)].map(([, pfn]) => Number(pfn)),
  );
  expect(new Set(held).size === held.length, `two threads have one frame: ${held}`);
  for (const pfn of held) expect(frames.isAllocated(pfn), `frame ${pfn} is a thread's, and free`);
  const tables = threads.tables.contexts.length === 0 ? 0 : check(threads).tables;
  const { allocated } = frames.stats();
  let waiting = 0;
  for (let slot = 0; slot < threads.group.registry.slots; slot++)
    TableRecords.of(frames).eachHeld(slot, () => waiting++);
  waiting += givenUp(frames);
  const taken = (left ?? held.length) + usedBy(frames);
  expect(
    allocated === taken + tables + waiting && (left === undefined || waiting === 0),
    `${allocated} frames, ${taken} taken, ${tables} tables, ${waiting} wait`,
  );
}
