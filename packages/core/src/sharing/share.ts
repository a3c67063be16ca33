import { isArray, shown, VmError } from '../errors.js';
import { FrameAllocator } from '../memory/frames/frame-allocator.js';
import { describeFrames, type FramesDescription } from '../memory/frames/shared/describe-frames.js';
import { PhysicalMemory } from '../memory/physical-memory.js';
import { PageTable } from '../table/page-table.js';
import { contextBehind } from '../table/state/registry.js';
import { AddressSpace } from '../vmap/address-space.js';
import { describeSpace, type SpaceDescription } from '../vmap/share-space.js';
import { describeMemory, type MemoryDescription } from './describe-memory.js';
import { describeTable, type TableDescription } from './describe-table.js';
import type { GroupBuffers } from '../threads/thread-group.js';
import type { Threads } from './threads.js';

/** What threads can share. */
export type Shareable = PhysicalMemory | FrameAllocator | PageTable | AddressSpace;

/** Shared objects by name. */
export type Shareables = Readonly<Record<string, Shareable>>;

/** An allocator with the memory of its frames. */
export interface DescribedFrames extends FramesDescription {
  /** Index among the memories; -1 for frames without bytes. */
  readonly memory: number;
}

/** A page table with what it is made of. */
export interface DescribedTable extends TableDescription {
  readonly memory: number;
  readonly frames: number;
}

/** An address space with what it is made of. */
export interface DescribedSpace extends SpaceDescription {
  readonly memory: number;
  readonly frames: number;
  readonly ram: number;
}

/**
 * Shared objects as plain data and shared buffers: for `postMessage` or `workerData`, which clone it. It is an
 * invitation for one thread.
 */
export interface Description<T extends Shareables = Shareables> {
  /** Names the thread that attaches by it, for `Threads.declareDead`. */
  readonly thread: number;
  /** @internal */
  readonly parts: DescribedParts;
  /** Only a type: what `attach` returns. */
  readonly things?: T;
}

/** All that `attach` needs. */
export interface DescribedParts {
  readonly version: typeof DESCRIPTION_VERSION;
  readonly group: GroupBuffers;
  readonly memories: readonly MemoryDescription[];
  readonly allocators: readonly DescribedFrames[];
  readonly tables: readonly DescribedTable[];
  readonly spaces: readonly DescribedSpace[];
  readonly names: readonly (readonly [name: string, kind: PartKind, index: number])[];
}

/** The lists of a description. */
export type PartKind = 'memories' | 'allocators' | 'tables' | 'spaces';

/** Grows when a description changes: both threads need one version of the library. */
export const DESCRIPTION_VERSION = 1;

/**
 * Describes objects for one other thread, which makes the same ones by `attach`. Nothing is copied: memory, tables and
 * frames are the same bytes.
 *
 * Call it once for each thread: the description invites one. Objects that these ones are made of (the memory of an
 * allocator) come along.
 *
 * @param things - by name. All were made with one `Threads`; a memory is `shared`.
 * @throws VmError `EINVAL` for what is not shared, or belongs to different groups; `EAGAIN` when the group has no free
 *   slot.
 * @example
 * ```ts
 * const description = share({ kernel, frames });
 * const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: description });
 * worker.on('exit', () => kernel.threads?.declareDead(description.thread));
 * ```
 */
export function share<T extends Shareables>(things: T): Description<T> {
  if (typeof things !== 'object' || isArray(things) !== false || Object.keys(things).length === 0)
    throw new VmError('EINVAL', `share() needs an object with names, not ${shown(things)}`, {
      advice: 'for example share({ kernel, frames })',
    });
  const writer = new DescriptionWriter();
  for (const [name, thing] of Object.entries(things)) writer.add(name, thing);
  return writer.finish() as Description<T>;
}

/** Collects what objects are made of, each once. */
class DescriptionWriter {
  #threads: Threads | null = null;
  readonly #memories = new Map<PhysicalMemory, number>();
  readonly #allocators = new Map<ArrayBufferLike, number>();
  readonly #described = {
    memories: [] as MemoryDescription[],
    allocators: [] as DescribedFrames[],
    tables: [] as DescribedTable[],
    spaces: [] as DescribedSpace[],
  };
  readonly #names: [string, PartKind, number][] = [];

  add(name: string, thing: unknown): void {
    const [kind, index] = this.#indexOf(name, thing);
    this.#names.push([name, kind, index]);
  }

  finish(): Description {
    const { group } = this.#requireThreads();
    const { buffers, registry } = group;
    return {
      thread: registry.invite(),
      parts: { version: DESCRIPTION_VERSION, group: buffers, ...this.#described, names: this.#names },
    };
  }

  #indexOf(name: string, thing: unknown): [PartKind, number] {
    if (thing instanceof PhysicalMemory) return ['memories', this.#memory(thing)];
    if (thing instanceof FrameAllocator) return ['allocators', this.#frames(thing, null)];
    if (thing instanceof PageTable) return ['tables', this.#table(thing)];
    if (thing instanceof AddressSpace) return ['spaces', this.#space(thing)];
    throw new VmError('EINVAL', `\`${name}\` is ${shown(thing)}, which threads cannot share`, {
      advice: 'share a PhysicalMemory, FrameAllocator, PageTable or AddressSpace',
    });
  }

  #memory(memory: PhysicalMemory): number {
    const known = this.#memories.get(memory);
    if (known !== undefined) return known;
    const index = this.#described.memories.push(describeMemory(memory)) - 1;
    this.#memories.set(memory, index);
    return index;
  }

  /** @param memory - of the page table that takes tables from it, where the allocator does not know. */
  #frames(frames: FrameAllocator, memory: PhysicalMemory | null): number {
    const known = this.#allocators.get(frames.state);
    if (known !== undefined) return known;
    const bytes = frames.memory ?? memory;
    const described = { ...describeFrames(frames), memory: bytes === null ? -1 : this.#memory(bytes) };
    this.#use(frames.threads);
    const index = this.#described.allocators.push(described) - 1;
    this.#allocators.set(frames.state, index);
    return index;
  }

  #table(table: PageTable): number {
    const { memory, frames, threads } = contextBehind(table);
    const described = describeTable(table);
    this.#use(threads);
    const parts = { memory: this.#memory(memory), frames: this.#frames(frames as FrameAllocator, memory) };
    return this.#described.tables.push({ ...described, ...parts }) - 1;
  }

  #space(kernel: AddressSpace): number {
    const described = describeSpace(kernel);
    const space = AddressSpace.spaceOf(kernel);
    const { memory, frames, threads } = contextBehind(space.table);
    this.#use(threads);
    const parts = {
      memory: this.#memory(memory),
      frames: this.#frames(frames as FrameAllocator, memory),
      ram: this.#frames(space.machine.ram, null),
    };
    return this.#described.spaces.push({ ...described, ...parts }) - 1;
  }

  #use(threads: unknown): void {
    if (this.#threads === null) this.#threads = threads as Threads;
    else if (this.#threads !== threads)
      throw new VmError('EINVAL', 'these objects belong to different groups of threads', {
        advice: 'make all of them with one Threads',
      });
  }

  #requireThreads(): Threads {
    if (this.#threads !== null) return this.#threads;
    throw new VmError('EINVAL', 'a memory alone has no threads', {
      advice: 'share an allocator, a page table or an address space, too',
    });
  }
}
