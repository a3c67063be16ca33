import {
  type AddressSpace,
  type PageTableFormat,
  type PhysicalMemory,
  Process,
  type Threads,
  userPagesOf,
  type VmErrorCode,
} from '@vmarea/core';
import type { Random } from '../../../packages/core/test/threads/stress/station.js';
import { type Device, deviceOf } from './device.js';
import { callerOf } from './operations.js';
import { DEVICE_PAGES, LANE_PAGES, type ProcessInvitation, type SharedProcesses } from './process-plan.js';

/** A page of a lane as a program sees it. */
interface Page {
  value: number;
  isWritable: boolean;
}

/** What one thread has and knows. */
export class ProcessHoldings {
  readonly kernel: AddressSpace;
  readonly memory: PhysicalMemory;
  readonly threads: Threads;
  readonly processes: readonly Process[];
  readonly random: Random;
  readonly invitation: ProcessInvitation;
  readonly device: Device;
  readonly userFormat: PageTableFormat | undefined;
  readonly pageBytes: number;
  readonly pageShift: number;
  /** Its lane in both processes: what each page holds. */
  readonly lanes: readonly Map<number, Page>[] = [new Map(), new Map()];
  /** One that it has begun to end. */
  readonly ending: Process[] = [];
  /** Processes that it made, each with what its lane holds there. */
  readonly own: { readonly process: Process; readonly lane: Map<number, Page> }[] = [];

  constructor(
    { kernel, memory, left, right, threads }: SharedProcesses & { readonly threads: Threads },
    invitation: ProcessInvitation,
    random: Random,
    userFormat: PageTableFormat | undefined,
  ) {
    this.userFormat = userFormat;
    this.kernel = kernel;
    this.memory = memory;
    this.threads = threads;
    this.processes = [left, right];
    this.random = random;
    this.invitation = invitation;
    this.pageShift = kernel.table.format.pageShift;
    this.pageBytes = 2 ** this.pageShift;
    this.device = deviceOf(kernel, invitation.places.kind, invitation.places.pages);
  }

  /** An address of its lane. */
  at(page: number): bigint {
    const { places, lane } = this.invitation;
    return places.lanes + BigInt((lane * LANE_PAGES + page) * this.pageBytes);
  }

  contestedAt(page: number): bigint {
    return this.invitation.places.contested + BigInt(page * this.pageBytes);
  }

  /** Some pages of a range: the first, and how many. */
  some(most: number): [number, number] {
    const first = this.random.below(most);
    return [first, 1 + this.random.below(Math.min(6, most - first))];
  }
}

/** The frame that a page maps for an access; faults until it does. */
function reach(own: ProcessHoldings, process: Process, address: bigint, kind: 'read' | 'write'): bigint {
  for (let tries = 0; tries < 50; tries++) {
    const { leaf, fault } = process.table.walk(address, { kind, user: true });
    if (
      leaf !== null &&
      fault === null &&
      leaf.protection.accessed &&
      (kind === 'read' || leaf.protection.dirty)
    )
      return leaf.pa;
    const result = process.handleFault(address, kind);
    if (result !== 'mapped') throw new Error(`0x${address.toString(16)}: ${result}`);
  }
  throw new Error(`0x${address.toString(16)} is never mapped for ${kind}, lane ${own.invitation.lane}`);
}

function check(own: ProcessHoldings, process: Process, lane: ReadonlyMap<number, Page>, page: number): void {
  const expected = lane.get(page);
  const address = own.at(page);
  if (expected === undefined) {
    const result = process.handleFault(address, 'read');
    if (result !== 'SEGV') throw new Error(`page ${page} is in no region, and a fault is ${result}`);
    return;
  }
  const value = own.memory.read32(reach(own, process, address, 'read'));
  if (value !== expected.value) throw new Error(`page ${page} holds ${value}, not ${expected.value}`);
}

/** One kind of call. */
interface ProcessOperation {
  readonly weight: number;
  /** Errors that other threads may cause. */
  readonly refusals?: readonly VmErrorCode[];
  run(own: ProcessHoldings): void;
}

function one<T>(own: ProcessHoldings, list: readonly T[]): T {
  return list[own.random.below(list.length)] as T;
}

/** One of the processes, with what its lane holds. */
function target(own: ProcessHoldings): { readonly process: Process; readonly lane: Map<number, Page> } {
  const at = own.random.below(own.processes.length + own.own.length);
  if (at >= own.processes.length) return own.own[at - own.processes.length] as (typeof own.own)[number];
  return { process: own.processes[at] as Process, lane: own.lanes[at] as Map<number, Page> };
}

export const PROCESS_OPERATIONS: Readonly<Record<string, ProcessOperation>> = {
  mmap: {
    weight: 6,
    run(own) {
      const { process, lane } = target(own);
      const [first, pages] = own.some(LANE_PAGES);
      process.mmap({
        ...{
          length: pages * own.pageBytes,
          address: own.at(first),
          fixed: 'replace',
          read: true,
          write: true,
        },
        ...(own.random.below(4) === 0 ? { name: `lane ${own.random.below(3)}` } : {}),
      });
      for (let page = first; page < first + pages; page++) lane.set(page, { value: 0, isWritable: true });
    },
  },
  munmap: {
    weight: 4,
    run(own) {
      const { process, lane } = target(own);
      const [first, pages] = own.some(LANE_PAGES);
      process.munmap(own.at(first), pages * own.pageBytes);
      for (let page = first; page < first + pages; page++) lane.delete(page);
    },
  },
  mprotect: {
    weight: 3,
    run(own) {
      const { process, lane } = target(own);
      const [first, pages] = own.some(LANE_PAGES);
      for (let page = first; page < first + pages; page++) if (!lane.has(page)) return;
      const isWritable = own.random.below(2) === 0;
      process.mprotect(own.at(first), pages * own.pageBytes, { read: true, write: isWritable });
      for (let page = first; page < first + pages; page++) (lane.get(page) as Page).isWritable = isWritable;
    },
  },
  dontNeed: {
    weight: 2,
    run(own) {
      const { process, lane } = target(own);
      const page = own.random.below(LANE_PAGES);
      const known = lane.get(page);
      if (known === undefined) return;
      process.madviseDontNeed(own.at(page), own.pageBytes);
      known.value = 0;
    },
  },
  write: {
    weight: 14,
    run(own) {
      const { process, lane } = target(own);
      const page = own.random.below(LANE_PAGES);
      const known = lane.get(page);
      if (known === undefined || !known.isWritable) {
        const result = process.handleFault(own.at(page), 'write');
        if (result !== 'SEGV') throw new Error(`a write that is not allowed is ${result}`);
        return;
      }
      const value = 1 + own.random.below(1 << 30);
      const pa = reach(own, process, own.at(page), 'write');
      // A death between the fault and the store leaves the old value, which nobody knows then.
      own.memory.write32(pa, value);
      known.value = value;
    },
  },
  read: {
    weight: 14,
    run(own) {
      const { process, lane } = target(own);
      check(own, process, lane, own.random.below(LANE_PAGES));
    },
  },
  move: {
    weight: 2,
    run(own) {
      const { process, lane } = target(own);
      const from = own.random.below(LANE_PAGES);
      const to = own.random.below(LANE_PAGES);
      const known = lane.get(from);
      if (known === undefined || from === to) return;
      process.mremap(own.at(from), own.pageBytes, own.pageBytes, { mayMove: true, fixed: own.at(to) });
      lane.delete(from);
      lane.set(to, known);
    },
  },
  fork: {
    weight: 2,
    run(own) {
      if (own.own.length > 3) return;
      const { process, lane } = target(own);
      const child = process.fork();
      const copy = new Map([...lane].map(([page, { value, isWritable }]) => [page, { value, isWritable }]));
      own.own.push({ process: child, lane: copy });
      for (let page = 0; page < LANE_PAGES; page++) check(own, child, copy, page);
    },
  },
  exit: {
    weight: 2,
    run(own) {
      const at = own.random.below(own.own.length + 1);
      const made = own.own[at];
      if (own.ending.length === 0 && made !== undefined) {
        for (let page = 0; page < LANE_PAGES; page++) check(own, made.process, made.lane, page);
        own.own.splice(at, 1);
        own.ending.push(made.process);
      }
      // When another thread dies meanwhile, its regions may be gone, and a second call ends it.
      own.ending[0]?.destroy();
      own.ending.pop();
    },
  },
  make: {
    weight: 1,
    run(own) {
      if (own.own.length > 3) return;
      const { kernel, userFormat } = own;
      const process = new Process({ kernel, ...(userFormat === undefined ? {} : { userFormat }) });
      own.own.push({ process, lane: new Map() });
    },
  },
  contest: {
    weight: 8,
    refusals: ['ENOMEM', 'EEXIST'],
    run(own) {
      const process = one(own, own.processes);
      const [first, pages] = own.some(LANE_PAGES);
      const address = own.contestedAt(first);
      const length = pages * own.pageBytes;
      switch (own.random.below(5)) {
        case 0:
          process.mmap({ length, address, fixed: 'replace', read: true, write: true });
          return;
        case 1:
          process.munmap(address, length);
          return;
        case 2:
          process.mprotect(address, length, { read: true, write: own.random.below(2) === 0 });
          return;
        default:
          process.handleFault(address, own.random.below(2) === 0 ? 'read' : 'write');
      }
    },
  },
  place: {
    weight: 2,
    run(own) {
      const process = one(own, own.processes);
      const length = (1 + own.random.below(4)) * own.pageBytes;
      const address = process.mmap({ length, read: true, write: true });
      process.handleFault(address, 'write');
      process.munmap(address, length);
    },
  },
  useDevice: {
    weight: 5,
    run(own) {
      const process = one(own, [...own.processes, ...own.own.map((made) => made.process)]);
      const page = own.random.below(DEVICE_PAGES);
      const result = process.handleFault(
        own.invitation.places.device + BigInt(page * own.pageBytes),
        own.random.below(2) === 0 ? 'read' : 'write',
      );
      if (result !== 'mapped' && process.findRegion(own.invitation.places.device) !== null)
        throw new Error(`a fault of the device is ${result}`);
    },
  },
  zap: {
    weight: 5,
    run(own) {
      const { device } = own.invitation.places;
      const process = one(own, own.processes);
      const [first, pages] = own.some(DEVICE_PAGES);
      const count = userPagesOf(own.kernel, process.number)?.zap(
        Number(device >> BigInt(own.pageShift)) + first,
        pages,
      );
      if (count === undefined || count > pages) throw new Error(`a zap of ${pages} pages took ${count}`);
    },
  },
  look: {
    weight: 2,
    run(own) {
      const { process, lane } = target(own);
      const { lanes } = own.invitation.places;
      if (process.maps().length === 0 && lane.size > 0) throw new Error('the process has no regions');
      for (const region of process.regions()) {
        if (region.end <= region.start) throw new Error('a region is empty');
        if (region.start === lanes && region.process !== process)
          throw new Error('a region is of another process');
      }
    },
  },
  vmalloc: {
    weight: 2,
    run(own) {
      const address = own.kernel.vmalloc(2 * own.pageBytes, { caller: callerOf(own.invitation.lane) });
      own.kernel.vfree(address);
    },
  },
};

/** Gives back all that a thread has. */
export function endProcesses(own: ProcessHoldings): void {
  while (own.own.length > 0 || own.ending.length > 0) {
    if (own.ending.length === 0) own.ending.push((own.own.pop() as (typeof own.own)[number]).process);
    own.ending[0]?.destroy();
    own.ending.pop();
  }
  for (const [i, process] of own.processes.entries()) {
    for (let page = 0; page < LANE_PAGES; page++)
      check(own, process, own.lanes[i] as Map<number, Page>, page);
    process.munmap(own.at(0), LANE_PAGES * own.pageBytes);
    own.lanes[i]?.clear();
  }
}
