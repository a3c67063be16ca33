import { shown, VmError } from '../errors.js';
import type { LoopProvider } from '../loops/loop-provider.js';
import { FRAMES_BYTES, MORE_THREADS, SCRATCH_BYTES } from '../loops/wasm/scratch-layout.js';
import { scratchOf } from '../loops/wasm/scratch-place.js';
import type { BankSource } from './bank.js';
import { isBuffer, isShared } from './host.js';
import { LinearBank } from './linear-bank.js';
import { PhysicalMemory } from './physical-memory.js';

/** One bank of a memory that threads share. */
interface BankDescription {
  readonly source: BankSource;
  readonly base: bigint;
  readonly byteOffset: number;
  readonly bytes: number;
  readonly writable: boolean;
  /** Which loops it has. */
  readonly loops: 'array' | 'wasm';
  /** Whether the memory has pages for the frames of other threads. */
  readonly hasScratch: boolean;
}

/** A memory that threads share, for `postMessage` or `workerData`. */
export interface MemoryDescription {
  readonly banks: readonly BankDescription[];
}

/**
 * Describes a memory to another thread.
 *
 * @throws VmError `EINVAL` for a bank that is not in shared memory, or an image.
 */
export function describeMemory(memory: PhysicalMemory): MemoryDescription {
  return {
    banks: memory.banks.map((bank) => {
      const origin = bank instanceof LinearBank ? bank.origin : null;
      if (origin === null || !isShared(isBuffer(origin.source) ? origin.source : origin.source.buffer)) {
        throw new VmError('EINVAL', 'threads cannot share a bank that is not in shared memory', {
          address: bank.base,
          advice: 'make it with `shared: true`, or over a SharedArrayBuffer',
        });
      }
      const { source, byteOffset, hasScratch } = origin;
      const { base, bytes, writable } = bank;
      const loops = bank.loops?.kind ?? 'array';
      return { source, base, byteOffset, bytes, writable, loops, hasScratch };
    }),
  };
}

/**
 * The memory of a description, for this thread.
 *
 * @param slot - of this thread in its group: each thread's loops have a page of their own.
 * @param loops - for banks that have loops in WebAssembly; without it they get those in JavaScript.
 * @throws VmError `EINVAL` for something else than a description.
 */
export function adoptMemory(
  description: MemoryDescription,
  slot: number,
  loops?: LoopProvider,
): PhysicalMemory {
  if (!Array.isArray(description?.banks))
    throw new VmError('EINVAL', `${shown(description)} does not describe a memory`);
  return PhysicalMemory.of(
    description.banks.map(({ source, base, byteOffset, bytes, writable, loops: kind, hasScratch }) => {
      const scratch = hasScratch ? pageOf(source, bytes, slot) : null;
      const provider = kind === 'wasm' && !isBuffer(source) && loops !== undefined ? { loops } : {};
      return LinearBank.over({ source, base, byteOffset, bytes, writable, ...provider }, scratch);
    }),
  );
}

/** The page for frames of a thread, where the memory has room for it. */
function pageOf(source: BankSource, bytes: number, slot: number): number | null {
  if (isBuffer(source) || slot < 1 || slot > MORE_THREADS) return null;
  const page = scratchOf(bytes, slot);
  return page >= SCRATCH_BYTES && page + FRAMES_BYTES <= source.buffer.byteLength ? page : null;
}
