import { createHash } from 'node:crypto';
import { takenFrames } from '@vmarea/conformance';
import { type FlushSink, Process, type ProcessOptions } from '@vmarea/core';
import { configuration, type KernelOptions, kernelOf } from '../../vmap/support/kernel.js';

/** A flush as a sink saw it. */
interface SeenFlush {
  readonly va: bigint;
  readonly bytes: bigint;
  readonly asid: number;
}

/** A kernel whose frames all have bytes, and how to make its processes. */
export function machineOf(name: string, options: KernelOptions = {}) {
  const made = kernelOf(name, { tablePages: 1024, ramFrames: 0, ...options });
  const { userFormat } = configuration(name);
  const flushes: SeenFlush[] = [];
  const sink: FlushSink = {
    flush: (va, bytes, _leafShift, _tables, asid) => {
      flushes.push({ va, bytes, asid });
    },
  };
  const processOf = (more: Partial<ProcessOptions> = {}): Process =>
    new Process({
      kernel: made.kernel,
      ...(userFormat === undefined ? {} : { userFormat }),
      sink,
      ...more,
    });
  const user = made.linux.user as NonNullable<typeof made.linux.user>;
  return {
    ...made,
    user,
    processOf,
    flushes,
    page: BigInt(made.pageBytes),
    userFormat: userFormat ?? made.format,
  };
}

/** The bytes of the page that a process maps at an address. */
export function bytesOf(
  { memory, pageBytes }: { memory: ReturnType<typeof kernelOf>['memory']; pageBytes: number },
  process: Process,
  va: bigint,
): Uint8Array {
  const pa = process.table.translate(va);
  if (pa === null) throw new Error(`nothing is mapped at 0x${va.toString(16)}`);
  return memory.bytesAt(pa, pageBytes);
}

/** The allocator and the bytes of all frames that are given out, as one string. */
export function digestOf({ memory, frames }: ReturnType<typeof machineOf>): string {
  const hash = createHash('sha256').update(new Uint8Array(frames.state));
  for (const pfn of takenFrames(frames))
    hash.update(memory.bytesAt(BigInt(pfn) << BigInt(frames.pageShift), 2 ** frames.pageShift));
  return hash.digest('hex');
}
