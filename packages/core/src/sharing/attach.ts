import { optionsOf } from '../check/options.js';
import { isArray, shown, VmError } from '../errors.js';
import type { LinuxPolicy } from '../format/linux-policy.js';
import type { PageTableFormat } from '../format/page-table-format.js';
import type { LoopProvider } from '../loops/loop-provider.js';
import type { FrameAllocator } from '../memory/frames/frame-allocator.js';
import { adoptFrames } from '../memory/frames/shared/describe-frames.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import { adoptMemory } from '../memory/share-memory.js';
import { PageReferences } from '../process/page-references.js';
import type { Process } from '../process/process.js';
import { adoptProcess } from '../process/shared/adopt-process.js';
import { openProcesses } from '../process/shared/open-processes.js';
import type { PageTable } from '../table/page-table.js';
import { adoptTable } from '../table/shared/share-table.js';
import type { FlushSink } from '../table/state/flush-sink.js';
import { TableRecords } from '../table/state/table-records.js';
import { AddressSpace } from '../vmap/address-space.js';
import { adoptSpace } from '../vmap/share-space.js';
import {
  DESCRIPTION_VERSION,
  type DescribedParts,
  type Description,
  type PartKind,
  type Shareable,
  type Shareables,
} from './share.js';
import { Threads } from './threads.js';

/** A format, whatever its processor modes are. */
export type AnyFormat = Pick<PageTableFormat, 'name' | 'levels' | 'range' | 'paBits' | 'pageShift'>;

/** What a thread brings along: functions do not travel between threads. */
export interface AttachOptions {
  /** The formats of the page tables and address spaces, made with the same options as where they were shared. */
  readonly formats?: readonly AnyFormat[];
  /** The Linux policies of the address spaces. */
  readonly policies?: readonly LinuxPolicy[];
  /** Faster loops, where the memory was made with some. Default: the loops in JavaScript. */
  readonly loops?: LoopProvider;
  /**
   * This thread's own flush sinks, by the name of the page table, address space or process. They get the flushes of all threads:
   * this thread's at once, the others' at its quiescent points. Default: none.
   */
  readonly sinks?: Readonly<Record<string, FlushSink>>;
}

const OPTIONS = ['formats', 'policies', 'loops', 'sinks'] as const;

/**
 * Makes the objects of a description in this thread. They are the same memory, tables, frames and areas: what one
 * thread changes, all see.
 *
 * A thread that attaches a second time to a group gets the objects that it has.
 *
 * @param description - what `share` returned in another thread, as `postMessage` or `workerData` brought it.
 * @returns the objects, by the names that `share` was given; and `threads`, this thread's place in the group.
 * @throws VmError `EINVAL` for what is no description, for one that another thread has used, for a missing format or
 *   policy, or for an unknown name of a sink.
 * @example
 * ```ts
 * const { kernel, threads } = attach(workerData, { formats: [x8664()], policies: [x8664Linux()], loops: wasmLoops });
 * const area = kernel.findVmArea(address);
 * area?.map(page, frame);
 * threads.quiesce();
 * ```
 */
export function attach<T extends Shareables>(
  description: Description<T>,
  options?: AttachOptions,
): T & { readonly threads: Threads } {
  const given = optionsOf(options, OPTIONS, 'attach()') as AttachOptions;
  const parts = partsOf(description);
  // Refused before the thread takes its place.
  const reader = new DescriptionReader(parts, given);
  reader.check();
  return reader.read(Threads.of(parts.group, description.thread)) as T & { readonly threads: Threads };
}

function partsOf(description: Description): DescribedParts {
  const parts = description?.parts;
  if (typeof description?.thread === 'number' && parts?.version === DESCRIPTION_VERSION) return parts;
  const other = parts?.version === undefined ? '' : `, of version ${parts.version}`;
  throw new VmError('EINVAL', `attach() needs a description, not ${shown(description)}${other}`, {
    advice: 'pass what share() of the same version returned, through postMessage or workerData',
  });
}

/** What tells a sink of flushes. */
const HAS_SINK: readonly PartKind[] = ['tables', 'spaces', 'processes'];

/** Makes the objects of a description, each once. */
class DescriptionReader {
  readonly #parts: DescribedParts;
  readonly #options: AttachOptions;

  constructor(parts: DescribedParts, options: AttachOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  /** Looks for what this thread has to bring. */
  check(): void {
    const { tables, spaces, processes, names } = this.#parts;
    const parts = [
      ...tables,
      ...spaces.map(({ space }) => space),
      ...processes.map(({ process }) => process),
    ];
    for (const { format } of parts) this.#format(format);
    for (const { space } of spaces) this.#policy(space.linux);
    const known = names.filter(([, kind]) => HAS_SINK.includes(kind)).map(([name]) => name);
    for (const name of Object.keys(this.#options.sinks ?? {}))
      if (!known.includes(name))
        throw new VmError(
          'EINVAL',
          `sinks has \`${name}\`, and the description has ${known.join(', ') || 'none'}`,
        );
  }

  read(threads: Threads): Readonly<Record<string, Shareable | Threads>> {
    const { memories, allocators, tables, spaces, processes, names } = this.#parts;
    const { loops, formats = [] } = this.#options;
    for (const format of formats) threads.formats.set(format.name, format as unknown as PageTableFormat);
    const memory = memories.map((one) =>
      threads.keep(one.key, () => adoptMemory(one, threads.group.slot, loops)),
    );
    const frames = allocators.map((one) =>
      threads.keep(one.key, () => framesOf(one, threads, memory[one.memory] ?? null)),
    );
    const kernels = spaces.map((one, i) =>
      threads.keep(one.key, () => this.#space(threads, memory, frames, i)),
    );
    const made: Record<PartKind, readonly Shareable[]> = {
      memories: memory,
      allocators: frames,
      tables: tables.map((one, i) => threads.keep(one.key, () => this.#table(threads, memory, frames, i))),
      spaces: kernels,
      processes: processes.map((one, i) => threads.keep(one.key, () => this.#process(kernels, i))),
    };
    const named = names.map(([name, kind, index]) => [name, made[kind][index] as Shareable] as const);
    return { ...Object.fromEntries(named), threads };
  }

  #table(
    threads: Threads,
    memory: readonly PhysicalMemory[],
    frames: readonly FrameAllocator[],
    index: number,
  ): PageTable {
    const described = this.#parts.tables[index] as DescribedParts['tables'][number];
    return adoptTable(described, {
      format: this.#format(described.format),
      memory: memory[described.memory] as PhysicalMemory,
      frames: frames[described.frames] as FrameAllocator,
      threads,
      ...this.#sinkOf('tables', index),
    });
  }

  #space(
    threads: Threads,
    memory: readonly PhysicalMemory[],
    frames: readonly FrameAllocator[],
    index: number,
  ): AddressSpace {
    const described = this.#parts.spaces[index] as DescribedParts['spaces'][number];
    const kernel = adoptSpace(
      described.space,
      {
        format: this.#format(described.space.format),
        linux: this.#policy(described.space.linux),
        memory: memory[described.memory] as PhysicalMemory,
        frames: frames[described.frames] as FrameAllocator,
        ram: frames[described.ram] as FrameAllocator,
        ...this.#sinkOf('spaces', index),
      },
      threads.group,
      (options) => adoptTable(described.table, { ...options, threads }),
      threads,
    );
    const space = AddressSpace.spaceOf(kernel);
    threads.here.spaces.add(space);
    if (described.list !== null) openProcesses(space, threads, described.list);
    return kernel;
  }

  #process(kernels: readonly AddressSpace[], index: number): Process {
    const { process, space } = this.#parts.processes[index] as DescribedParts['processes'][number];
    return adoptProcess(process, {
      kernel: kernels[space] as AddressSpace,
      format: this.#format(process.format),
      ...this.#sinkOf('processes', index),
    });
  }

  #sinkOf(kind: PartKind, index: number): { readonly sink?: FlushSink } {
    const name = this.#parts.names.find((one) => one[1] === kind && one[2] === index)?.[0];
    const sink = name === undefined ? undefined : this.#options.sinks?.[name];
    return sink === undefined ? {} : { sink };
  }

  #format(name: string): PageTableFormat {
    return this.#find('formats', this.#options.formats, name) as unknown as PageTableFormat;
  }

  #policy(name: string): LinuxPolicy {
    return this.#find('policies', this.#options.policies, name);
  }

  #find<P extends { readonly name: string }>(list: string, parts: readonly P[] | undefined, name: string): P {
    if (parts !== undefined && isArray(parts) !== true)
      throw new VmError('EINVAL', `\`${list}\` is ${shown(parts)}, expected an array`);
    const found = parts?.find((part) => part?.name === name);
    if (found !== undefined) return found;
    throw new VmError('EINVAL', `\`${list}\` lacks ${name}, which the description needs`, {
      advice: 'make it here with the same options as where it was shared',
    });
  }
}

/** An allocator, and what all threads note of its frames. */
function framesOf(
  one: DescribedParts['allocators'][number],
  threads: Threads,
  memory: PhysicalMemory | null,
): FrameAllocator {
  const frames = adoptFrames(one, threads, memory);
  TableRecords.adopt(frames, one.records);
  PageReferences.of(frames, one.references);
  return frames;
}
