import { VmError } from '../../errors.js';
import type { PageTableFormat } from '../../format/page-table-format.js';
import type { FlushSink } from '../../table/state/flush-sink.js';
import { KernelHalf } from '../kernel-half.js';
import type { ProcessKernel, ProcessOptions } from '../options.js';
import { Process } from '../process.js';
import { makeProcess } from '../process-space.js';
import { RegionWords } from './region-words.js';
import { SharedList } from './shared-list.js';
import { type ProcessDescription, SharedProcess, sharedProcessOf } from './shared-process.js';

/** What a thread brings to a process that it shares. */
export interface ProcessParts {
  /** This thread's object of the kernel. */
  readonly kernel: ProcessKernel;
  readonly format: PageTableFormat;
  readonly sink?: FlushSink;
}

/**
 * Describes a process for another thread.
 *
 * @throws VmError `EINVAL` for one of a kernel of one thread, or one that was destroyed.
 */
export function describeProcess(process: Process): ProcessDescription {
  const space = Process.spaceOf(process);
  space.lock.requireLive();
  const shared = sharedProcessOf(space.threads);
  if (shared !== null) return shared.describe();
  throw new VmError('EINVAL', 'the process is for one thread', {
    advice: 'make its kernel with `threads`',
  });
}

/**
 * The process of a description, for this thread.
 *
 * @throws VmError `EINVAL` for one that was destroyed.
 */
export function adoptProcess(
  { number, asid, mostRegions, regions }: ProcessDescription,
  { kernel, format, sink }: ProcessParts,
): Process {
  const { list, space: base } = KernelHalf.of(kernel);
  if (!(list instanceof SharedList) || new RegionWords(regions, mostRegions).isGone)
    throw new VmError('EINVAL', 'the process was destroyed');
  const options: ProcessOptions = {
    ...{ kernel, asid, mostRegions },
    // A format that holds the kernel's half is the kernel's own object.
    ...(format.name === base.format.name ? {} : { userFormat: format }),
    ...(sink === undefined ? {} : { sink }),
  };
  list.noteFormat(format);
  const space = makeProcess(options, {
    root: list.rootOf(asid),
    makeTable: (given) => list.adopt(number, asid, given.sink),
    open: (made) => new SharedProcess(made, list, regions, number),
  });
  const process = Process.over(space, options);
  sharedProcessOf(space.threads)?.join();
  return process;
}
