import {
  AddressSpace,
  FrameAllocator,
  PageReferences,
  PhysicalMemory,
  Process,
  type Threads,
} from '../../../../src/index.js';
import type { ThreadCase } from '../thread-case.js';
import { codeOr, expect } from './group.js';
import { type Rooms, type RoomsBody, roomsCase } from './rooms.js';
import { small, smallProcesses } from './small-format.js';

const PAGE = 64;
/** The page that threads use. */
const HEAP = 0x100n;

interface Begun extends Record<string, AddressSpace | Process> {
  readonly kernel: AddressSpace;
  readonly process: Process;
}

/** A process with one private region of one page, whose table is there. */
function begun(threads: Threads): Begun {
  const memory = PhysicalMemory.create({ bytes: 4096, shared: true });
  const frames = new FrameAllocator(memory, { pageShift: 6, threads });
  const kernel = new AddressSpace({ format: small, linux: smallProcesses, memory, frames, threads });
  const process = new Process({ kernel, mostRegions: 3 });
  process.mmap({ length: PAGE, address: HEAP, fixed: 'noReplace', read: true, write: true });
  process.handleFault(HEAP, 'write');
  process.madviseDontNeed(HEAP, PAGE);
  return { kernel, process };
}

/** The same with a page that is the process's own. */
function written(threads: Threads): Begun {
  const made = begun(threads);
  made.process.handleFault(HEAP, 'write');
  return made;
}

/** The same with a page that a child has, too. */
function forked(threads: Threads): Begun & { readonly child: Process } {
  const made = written(threads);
  return { ...made, child: made.process.fork() };
}

/** The first frame that is given out later: an area has it, and a process maps it. */
function owned(threads: Threads): Begun {
  const made = begun(threads);
  const { machine } = AddressSpace.spaceOf(made.kernel);
  const pfn = machine.ram.allocate();
  PageReferences.of(machine.ram).take(pfn);
  machine.owners.take({ heads: Float64Array.of(pfn), order: 0 });
  return made;
}

/** The frame that an area has. */
function ownedIn({ frames }: Rooms): number {
  let found = -1;
  for (let i = 0; i < frames.frames; i++) if (frames.calls?.marks.has(i) === true) found = frames.first + i;
  return found;
}

/** What a thread makes from now on, no other one has. */
function begin(): void {
  (globalThis as { isExploring?: boolean }).isExploring = true;
}

const processOf = ({ processes }: Rooms, index = 0): Process => processes[index] as Process;
const kernelOf = ({ kernel }: Rooms): AddressSpace => kernel as AddressSpace;

/** Has a frame at hand, so that the allocator's lock is no part of the race. */
function withFrame({ frames }: Rooms): void {
  frames.free(frames.allocate());
}

/** Faults the page. */
function faulting(kind: 'read' | 'write', index = 0): RoomsBody {
  return (rooms) => {
    withFrame(rooms);
    return () => codeOr(() => processOf(rooms, index).handleFault(HEAP, kind));
  };
}

/** Unmaps the page's region. */
const unmapping: RoomsBody = (rooms) => () =>
  codeOr(() => {
    processOf(rooms).munmap(HEAP, PAGE);
    return 'unmapped';
  });

/** Lets go of a frame. */
const putting: RoomsBody = (rooms) => {
  const pfn = ownedIn(rooms);
  return () =>
    codeOr(() => {
      PageReferences.of(rooms.frames).put(pfn);
      return 'put';
    });
};

/** Frees the frame, as vfree does after the area is gone. */
const freeing: RoomsBody = (rooms) => {
  const pfn = ownedIn(rooms);
  const { owners } = AddressSpace.spaceOf(kernelOf(rooms)).machine;
  return () =>
    codeOr(() => {
      const errors = owners.free({ heads: Float64Array.of(pfn), order: 0 });
      return errors.length === 0 ? `freed ${pfn}` : 'refused';
    });
};

/** Forks the process. */
const forking: RoomsBody = (rooms) => () =>
  codeOr(() => {
    begin();
    processOf(rooms).fork();
    return 'forked';
  });

/** Makes a process. */
const making: RoomsBody = (rooms) => {
  withFrame(rooms);
  return () =>
    codeOr(() => {
      begin();
      const made = new Process({ kernel: kernelOf(rooms), mostRegions: 3 });
      return `asid ${made.asid}`;
    });
};

/** The frame of the page, and how many have it. */
function pageOf(
  rooms: Rooms,
  index = 0,
): { readonly pfn: number; readonly users: number; readonly isWritable: boolean } {
  const { leaf } = processOf(rooms, index).table.walk(HEAP);
  const pfn = leaf?.pfn ?? -1;
  return {
    pfn,
    users: PageReferences.of(rooms.frames).count(pfn),
    isWritable: leaf?.protection.write === true,
  };
}

/** Of two faults, one maps the page, and the other finds it. */
function oneFrame(rooms: Rooms, outcomes: readonly string[]): void {
  for (const outcome of outcomes) expect(outcome === 'mapped', outcome);
  const { pfn, users } = pageOf(rooms);
  expect(pfn >= 0 && users === 1, `frame ${pfn} has ${users} users`);
}

/** A page is mapped only where a region is. */
function nothingOutside(rooms: Rooms): void {
  expect(processOf(rooms).findRegion(HEAP) === null, 'the region is still there');
  expect(pageOf(rooms).pfn < 0, 'a page is mapped in no region');
}

/** No page that two processes have can be written. */
function noneWritable(rooms: Rooms): void {
  const { users, isWritable } = pageOf(rooms);
  expect(users < 2 || !isWritable, `a page of ${users} users can be written`);
}

export const cases: Record<string, ThreadCase> = {
  'two write a page that is not there': roomsCase({
    make: begun,
    bodies: [faulting('write'), faulting('write')],
    timeouts: 1,
    finish: oneFrame,
  }),
  'one writes a page, one unmaps its region': roomsCase({
    make: begun,
    bodies: [faulting('write'), unmapping],
    timeouts: 1,
    finish: nothingOutside,
  }),
  'one forks, one writes a page': roomsCase({
    make: written,
    bodies: [forking, faulting('write')],
    timeouts: 1,
    finish: noneWritable,
  }),
  'a parent and its child write a page that both have': roomsCase({
    make: forked,
    bodies: [faulting('write', 0), faulting('write', 1)],
    finish(rooms) {
      const [parent, child] = [pageOf(rooms, 0), pageOf(rooms, 1)];
      expect(parent.pfn !== child.pfn, 'both write one frame');
      expect(parent.users === 1 && child.users === 1, `${parent.users} and ${child.users} users`);
    },
  }),
  'one lets go of a frame of an area, one frees the area': roomsCase({
    make: owned,
    bodies: [putting, freeing],
    finish({ frames }, outcomes) {
      const [, pfn] = /freed (\d+)/.exec(outcomes[1] ?? '') ?? [];
      expect(pfn !== undefined && !frames.isAllocated(Number(pfn)), 'the frame is not free');
    },
  }),
  'two make processes': roomsCase({
    make: begun,
    bodies: [making, making],
    timeouts: 1,
    finish(_rooms, outcomes) {
      expect(new Set(outcomes).size === 2, `two processes: ${outcomes}`);
    },
  }),
};
