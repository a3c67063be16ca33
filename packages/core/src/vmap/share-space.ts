import { VmError } from '../errors.js';
import type { Controls } from '../format/access.js';
import type { LinuxPolicy } from '../format/linux-policy.js';
import type { PageTableFormat } from '../format/page-table-format.js';
import type { FrameAllocator } from '../memory/frames/frame-allocator.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import type { Space } from '../space/space.js';
import type { PageTable } from '../table/page-table.js';
import type { FlushSink } from '../table/state/flush-sink.js';
import type { PageTableOptions } from '../table/state/make.js';
import type { ThreadCalls } from '../threads/thread-calls.js';
import type { ThreadGroup } from '../threads/thread-group.js';
import { AddressSpace } from './address-space.js';
import type { KernelSpace } from './kernel-space.js';
import type { LinuxRelease } from './options.js';
import { AreaLog } from './shared/area-log.js';
import { DEFAULT_LOG_BYTES, LEAST_LOG_BYTES, LogWord } from './shared/log-layout.js';
import { SharedSpace, sharedPartOf } from './shared/shared-space.js';
import type { SpaceThreads } from './space-sharing.js';

/** An address space as plain data and shared memory, for another thread. A structured clone copies it. */
export interface SpaceDescription {
  readonly log: SharedArrayBuffer;
  /** Physical address in bytes of the root. */
  readonly root: bigint;
  /** Names of its format and policy: another thread must pass the same ones. */
  readonly format: string;
  readonly linux: string;
  readonly release: LinuxRelease;
  readonly asid: number;
  readonly totalRamPages: number;
  /** Virtual address of physical address 0 in the direct map; `null` for no direct map. */
  readonly directMap: bigint | null;
  readonly cpus?: number;
  readonly onlineCpus?: number;
  readonly autoPurge?: boolean;
  readonly blockPages?: number;
}

/** What a thread passes to use a space of another one. */
export interface AdoptedParts<C extends Controls = Controls> {
  readonly format: PageTableFormat<C>;
  readonly linux: LinuxPolicy;
  readonly memory: PhysicalMemory;
  /** Where tables come from: this thread's object over the shared allocator. */
  readonly frames: FrameAllocator;
  /** Where pages come from. Default: `frames`. */
  readonly ram?: FrameAllocator;
  /** This thread's own sink: it is told of all flushes. Default: nobody. */
  readonly sink?: FlushSink;
  /** Processor modes for walks of this thread. Default: the format's. */
  readonly controls?: Partial<C>;
}

/**
 * Makes the shared part of a new space: `SpaceSharing.openSpace` of a `Threads`.
 *
 * @param logBytes - of the area log; both halves together. A checkpoint of all areas must fit one half: about
 *   150 bytes for each live area. Default: 16 MiB.
 * @throws VmError `EINVAL` for a log of less than 32 KiB or more than 1 GiB.
 */
export function openSharedSpace(
  space: Space,
  group: ThreadGroup,
  logBytes: number = DEFAULT_LOG_BYTES,
): SpaceThreads {
  if (!Number.isInteger(logBytes) || logBytes < LEAST_LOG_BYTES || logBytes > 2 ** 30)
    throw new VmError('EINVAL', `logBytes is ${logBytes}, expected ${LEAST_LOG_BYTES} to 2^30 bytes`);
  return new SharedSpace(space, group, AreaLog.create(logBytes), false);
}

/**
 * Describes a space for another thread.
 *
 * @throws VmError `EINVAL` for a space that was made without `threads`, or was destroyed.
 */
export function describeSpace(kernel: AddressSpace): SpaceDescription {
  const { space, shared } = partsOf(kernel);
  space.lock.requireLive();
  const { directMap, machine, linux, format } = space;
  const { cpus, onlineCpus, autoPurge, blockPages } = shared.setup;
  const first = BigInt(machine.ram.first) << BigInt(space.pageShift);
  return {
    ...{ log: shared.log.buffer, root: space.table.root, format: format.name, linux: linux.name },
    ...{ release: space.release, asid: space.asid, totalRamPages: machine.totalRamPages },
    directMap: directMap === null ? null : directMap.start - first,
    ...(cpus === undefined ? {} : { cpus }),
    ...(onlineCpus === undefined ? {} : { onlineCpus }),
    ...(autoPurge === undefined ? {} : { autoPurge }),
    ...(blockPages === undefined ? {} : { blockPages }),
  };
}

/**
 * Makes the object of this thread for a space of another one: the same tables, areas and addresses.
 *
 * @param makeTable - gives this thread's `PageTable` of the shared root, with the sink of the options that it
 *   receives. Default: a `PageTable` over the root.
 * @param calls - what is built on the space needs of the threads.
 * @throws VmError `EINVAL` when format or policy differ from those of the description, or when the space was
 *   destroyed; as the constructor of `AddressSpace`.
 */
export function adoptSpace<C extends Controls = Controls>(
  description: SpaceDescription,
  parts: AdoptedParts<C>,
  group: ThreadGroup,
  makeTable: (options: PageTableOptions) => PageTable,
  calls: ThreadCalls,
): AddressSpace<C> {
  const { log: buffer, root, format, linux, directMap, ...rest } = description;
  if (parts.format?.name !== format || parts.linux?.name !== linux)
    throw new VmError('EINVAL', `the space has the format ${format} and the policy ${linux}`, {
      advice: 'pass the same ones, made with the same options, in each thread',
    });
  const log = new AreaLog(buffer);
  if (Atomics.load(log.words, LogWord.destroyed) !== 0)
    throw new VmError('EINVAL', 'the address space was destroyed');
  return new AddressSpace<C>({
    ...rest,
    ...parts,
    root,
    ...(directMap === null ? {} : { directMap: { base: directMap } }),
    threads: { calls, makeTable, openSpace: (space) => new SharedSpace(space, group, log, true) },
  });
}

function partsOf(kernel: AddressSpace): { readonly space: KernelSpace; readonly shared: SharedSpace } {
  const space = AddressSpace.spaceOf(kernel);
  const shared = sharedPartOf(space);
  if (shared !== null) return { space, shared };
  throw new VmError('EINVAL', 'the address space was made for one thread', {
    advice: 'pass `threads` when it is made',
  });
}
