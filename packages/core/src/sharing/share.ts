import { isArray, shown, VmError } from '../errors.js';
import { FrameAllocator } from '../memory/frames/frame-allocator.js';
import { describeFrames, type FramesDescription } from '../memory/frames/shared/describe-frames.js';
import { SharedFrames } from '../memory/frames/shared/shared-frames.js';
import { PhysicalMemory } from '../memory/physical-memory.js';
import { describeMemory, type MemoryDescription } from '../memory/share-memory.js';
import { PageReferences } from '../process/page-references.js';
import { Process } from '../process/process.js';
import { describeProcess } from '../process/shared/adopt-process.js';
import { describeProcesses } from '../process/shared/open-processes.js';
import type { ProcessDescription } from '../process/shared/shared-process.js';
import { PageTable } from '../table/page-table.js';
import { describeTable, type TableDescription } from '../table/shared/share-table.js';
import { contextBehind } from '../table/state/registry.js';
import { TableRecords } from '../table/state/table-records.js';
import type { GroupBuffers } from '../threads/thread-group.js';
import { AddressSpace } from '../vmap/address-space.js';
import { describeSpace, type SpaceDescription } from '../vmap/share-space.js';
import type { Threads } from './threads.js';

/** What threads can share. */
export type Shareable = PhysicalMemory | FrameAllocator | PageTable | AddressSpace | Process;

/** Shared objects by name. */
export type Shareables = Readonly<Record<string, Shareable>>;

/** A part that has the same number in all threads. */
interface Numbered {
  readonly key: number;
}

/** A memory. */
type DescribedMemory = MemoryDescription & Numbered;

/** An allocator with the memory of its frames. */
interface DescribedFrames extends FramesDescription, Numbered {
  /** What all threads note of the tables in its frames. */
  readonly records: SharedArrayBuffer;
  /** How many users each frame has. */
  readonly references: SharedArrayBuffer;
  /** Index among the memories; -1 for frames without bytes. */
  readonly memory: number;
}

/** A page table with what it is made of. */
interface DescribedTable extends TableDescription, Numbered {
  readonly memory: number;
  readonly frames: number;
}

/** An address space with what it is made of. */
interface DescribedSpace extends Numbered {
  readonly space: SpaceDescription;
  /** Its page table. */
  readonly table: TableDescription;
  readonly memory: number;
  readonly frames: number;
  readonly ram: number;
  /** The list of its processes; `null` where its policy knows none. */
  readonly list: SharedArrayBuffer | null;
}

/** A process with what it is made of. */
interface DescribedProcess extends Numbered {
  readonly process: ProcessDescription;
  /** Index of its kernel. */
  readonly space: number;
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
  readonly memories: readonly DescribedMemory[];
  readonly allocators: readonly DescribedFrames[];
  readonly tables: readonly DescribedTable[];
  readonly spaces: readonly DescribedSpace[];
  readonly processes: readonly DescribedProcess[];
  readonly names: readonly (readonly [name: string, kind: PartKind, index: number])[];
}

/** The lists of a description. */
export type PartKind = 'memories' | 'allocators' | 'tables' | 'spaces' | 'processes';

/** Grows when a description changes: both threads need one version of the library. */
export const DESCRIPTION_VERSION = 2;

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
 * worker.on('exit', () => threads.declareDead(description.thread));
 * ```
 */
export function share<T extends Shareables>(things: T): Description<T> {
  if (typeof things !== 'object' || isArray(things) !== false || Object.keys(things).length === 0)
    throw new VmError('EINVAL', `share() needs an object with names, not ${shown(things)}`, {
      advice: 'for example share({ kernel, frames })',
    });
  const writer = new DescriptionWriter();
  for (const [name, thing] of Object.entries(things)) {
    if (name === 'threads')
      throw new VmError('EINVAL', 'the name `threads` is taken: attach() returns the threads by it');
    writer.add(name, thing);
  }
  return writer.finish() as Description<T>;
}

/** Collects what objects are made of, each once. */
class DescriptionWriter {
  #threads: Threads | null = null;
  readonly #memories: PhysicalMemory[] = [];
  readonly #allocators: FrameAllocator[] = [];
  readonly #tables: PageTable[] = [];
  readonly #spaces: AddressSpace[] = [];
  readonly #processes: Process[] = [];
  readonly #names: [string, PartKind, number][] = [];

  add(name: string, thing: unknown): void {
    const [kind, index] = this.#indexOf(name, thing);
    this.#names.push([name, kind, index]);
  }

  finish(): Description {
    const threads = this.#requireThreads();
    const { buffers, registry } = threads.group;
    const thread = registry.invite();
    try {
      return {
        thread,
        parts: {
          version: DESCRIPTION_VERSION,
          group: buffers,
          ...this.#parts(threads),
          names: this.#names,
        },
      };
    } catch (error) {
      registry.cancel(thread);
      throw error;
    }
  }

  #parts(threads: Threads): Omit<DescribedParts, 'version' | 'group' | 'names'> {
    const key = (thing: object): { readonly key: number } => ({ key: threads.numberOf(thing) });
    return {
      memories: this.#memories.map((one) => ({ ...describeMemory(one), ...key(one) })),
      allocators: this.#allocators.map((one) => ({
        ...describeFrames(one),
        ...key(one),
        records: TableRecords.of(one).state as SharedArrayBuffer,
        references: PageReferences.of(one).buffer as SharedArrayBuffer,
        memory: one.memory === null ? -1 : this.#memories.indexOf(one.memory),
      })),
      tables: this.#tables.map((one) => ({ ...describeTable(one), ...key(one), ...this.#below(one) })),
      spaces: this.#spaces.map((one) => {
        const { table, machine } = AddressSpace.spaceOf(one);
        return {
          space: describeSpace(one),
          ...key(one),
          ...this.#below(table),
          table: describeTable(table),
          ram: this.#allocators.indexOf(machine.ram),
          list: describeProcesses(AddressSpace.spaceOf(one)),
        };
      }),
      processes: this.#processes.map((one) => ({
        process: describeProcess(one),
        ...key(one),
        space: this.#spaces.indexOf(Process.kernelOf(one) as AddressSpace),
      })),
    };
  }

  #indexOf(name: string, thing: unknown): [PartKind, number] {
    if (thing instanceof PhysicalMemory) return ['memories', note(this.#memories, thing)];
    if (thing instanceof FrameAllocator) return ['allocators', this.#frames(thing)];
    if (thing instanceof PageTable) return ['tables', this.#table(thing)];
    if (thing instanceof AddressSpace) return ['spaces', this.#space(thing)];
    if (thing instanceof Process) return ['processes', this.#process(thing)];
    throw new VmError('EINVAL', `\`${name}\` is ${shown(thing)}, which threads cannot share`, {
      advice: 'share a PhysicalMemory, FrameAllocator, PageTable, AddressSpace or Process',
    });
  }

  #frames(frames: FrameAllocator): number {
    if (!(frames.calls instanceof SharedFrames))
      throw new VmError('EINVAL', 'this allocator is for one thread', {
        advice: 'pass `threads` to new FrameAllocator()',
      });
    this.#use(frames.calls.sharing as Threads);
    if (frames.memory !== null) note(this.#memories, frames.memory);
    return note(this.#allocators, frames);
  }

  #table(table: PageTable): number {
    this.#collect(table);
    return note(this.#tables, table);
  }

  #space(kernel: AddressSpace): number {
    const { table, machine } = AddressSpace.spaceOf(kernel);
    this.#collect(table);
    this.#frames(machine.ram);
    return note(this.#spaces, kernel);
  }

  #process(process: Process): number {
    this.#space(Process.kernelOf(process) as AddressSpace);
    return note(this.#processes, process);
  }

  /** Notes what a page table is made of. */
  #collect(table: PageTable): void {
    const { memory, frames } = contextBehind(table);
    note(this.#memories, memory);
    this.#frames(frames as FrameAllocator);
  }

  #below(table: PageTable): { readonly memory: number; readonly frames: number } {
    const { memory, frames } = contextBehind(table);
    return {
      memory: this.#memories.indexOf(memory),
      frames: this.#allocators.indexOf(frames as FrameAllocator),
    };
  }

  #use(threads: Threads): void {
    if (this.#threads === null) this.#threads = threads;
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

/** The index of a thing in a list, which has it afterwards. */
function note<T>(list: T[], thing: T): number {
  const found = list.indexOf(thing);
  return found >= 0 ? found : list.push(thing) - 1;
}
