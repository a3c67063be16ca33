import { AddressSpace, Process, VmError } from '@vmarea/core';
import { Mmu, type MmuOptions } from './mmu.js';

/** Options of `processorOf`: those of an `Mmu` that the address space does not say. */
export type ProcessorOptions = Pick<MmuOptions, 'entries' | 'io' | 'observer' | 'invalidations'>;

/**
 * A processor that runs a kernel or a process: it translates with its tables, and forgets what it flushes. In a program of several threads, it
 * forgets what other threads flush at the thread's next quiescent point.
 *
 * @param space - the kernel's address space or a process. It knows the processor from now on, and tells it of each flush.
 * @throws VmError `EINVAL` for anything else, and for an invalid option.
 * @example
 * ```ts
 * const process = new Process({ kernel });
 * const mmu = processorOf(process);
 * mmu.loadSigned32(0x7fff, 0x1000, true);
 * ```
 */
export function processorOf(space: AddressSpace | Process, options: ProcessorOptions = {}): Mmu {
  if (!(space instanceof AddressSpace) && !(space instanceof Process))
    throw new VmError('EINVAL', 'processorOf() needs an AddressSpace or a Process');
  const { format, root } = space.table;
  const asid = space instanceof Process ? space.asid : 0;
  const tables = { format, root, controls: format.controls };
  const mmu = new Mmu({ ...options, memory: space.memory, tables, asid });
  space.addSink(mmu.sink);
  return mmu;
}
