import {
  AddressSpace,
  FrameAllocator,
  PageTable,
  type PageTableOptions,
  PhysicalMemory,
  type ThreadCalls,
  wasmLoops,
} from '@vmarea/core';
import { adoptions } from '../../../packages/core/src/table/state/make.js';
import { contextBehind } from '../../../packages/core/src/table/state/registry.js';
import { ThreadGroup } from '../../../packages/core/src/threads/thread-group.js';
import { adoptSpace, describeSpace, openSharedSpace } from '../../../packages/core/src/vmap/share-space.js';
import type { SpaceSharing } from '../../../packages/core/src/vmap/space-sharing.js';
import { configuration, type KernelOptions, kernelOf, RAM_FIRST } from '../support/kernel.js';

/** One thread of a team: its object of the shared space, and the flushes that its sink saw. */
export interface Member {
  readonly kernel: AddressSpace;
  readonly group: ThreadGroup;
  readonly flushes: { readonly va: bigint; readonly bytes: bigint }[];
  /** The sink throws while it is set. */
  throws: boolean;
}

export type TeamOptions = Omit<KernelOptions, 'onFlush'> & { readonly logBytes?: number };

/** What is built on a space needs it. Here nothing is. */
export const NO_CALLS: ThreadCalls = {} as ThreadCalls;

/**
 * Several threads that use one space, all in this thread. Each acts as a thread of its own as long as none
 * waits for another.
 */
export function teamOf(name: string, count: number, options: TeamOptions = {}) {
  const { tablePages = 1024, ramFrames = 2 ** 18, logBytes, ...rest } = options;
  const { format, linux } = configuration(name);
  const { pageShift } = format;
  const memory = PhysicalMemory.create({ loops: wasmLoops, bytes: tablePages * 2 ** pageShift });
  const frames = new FrameAllocator(memory, { pageShift });
  const ram =
    ramFrames === 0 ? frames : new FrameAllocator(null, { pageShift, first: RAM_FIRST, frames: ramFrames });
  const first = ThreadGroup.create(8);
  const threads: SpaceSharing = {
    calls: NO_CALLS,
    makeTable: (parts) => new PageTable(parts),
    openSpace: (space) => openSharedSpace(space, first, logBytes),
  };
  const members: Member[] = [];
  const add = (group: ThreadGroup, make: (sink: Sink) => AddressSpace): Member => {
    const flushes: Member['flushes'] = [];
    const member: Partial<Member> & { throws: boolean } = { group, flushes, throws: false };
    const flush = (va: bigint, bytes: bigint): void => {
      if (member.throws) throw new Error('the sink throws');
      flushes.push({ va, bytes });
    };
    Object.assign(member, { kernel: make({ flush }) });
    members.push(member as Member);
    return member as Member;
  };
  add(first, (sink) => new AddressSpace({ format, linux, memory, frames, ram, sink, ...rest, threads }));
  /** A thread that attaches now. */
  const attach = (): Member => {
    const [{ kernel }] = members as [Member];
    const group = new ThreadGroup(first.buffers, first.registry.invite());
    const description = structuredClone(describeSpace(kernel));
    // One owner has the tables, whichever thread makes them.
    const { owner, records } = contextBehind(AddressSpace.spaceOf(kernel).table);
    const makeTable = (parts: PageTableOptions): PageTable => {
      adoptions.set(parts, { owner, records: records?.state as SharedArrayBuffer });
      return new PageTable(parts);
    };
    return add(group, (sink) =>
      adoptSpace(description, { format, linux, memory, frames, ram, sink }, group, makeTable, NO_CALLS),
    );
  };
  for (let i = 1; i < count; i++) attach();
  return { members, attach, format, linux, memory, frames, ram, pageBytes: 2 ** pageShift };
}

interface Sink {
  flush(va: bigint, bytes: bigint): void;
}

/** One thread alone with the same options. */
export function aloneOf(name: string, { logBytes: _, ...options }: TeamOptions = {}) {
  return kernelOf(name, options);
}
