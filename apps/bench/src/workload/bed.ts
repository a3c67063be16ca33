import { UsageError } from '@vmarea/cli';
import { rootFrames } from '@vmarea/compare';
import { type Configuration, FrameAllocator, PhysicalMemory, wasmLoops } from '@vmarea/core';

/** The machine of a configuration: one memory. Its first frames are for tables, the others for pages. */
export interface Bed {
  readonly configuration: Configuration;
  readonly memory: PhysicalMemory;
  readonly tables: FrameAllocator;
  /** The frames of pages. Each has bytes. */
  readonly ram: FrameAllocator;
  /** Frames without bytes, outside the memory. They are for cases that store nothing. */
  readonly blindRam: FrameAllocator;
  /** All bytes of the memory. */
  readonly bytes: Uint8Array;
}

/** The minimum memory for tables, enough for alignments of gigabytes. The host only provides what is touched. */
const LEAST_TABLE_BYTES = 2 ** 26;
/** Table bytes for each page: its entry, and as much again for partly filled tables. */
const TABLE_BYTES_OF_PAGE = 16;
/** The largest memory. */
const MOST_BYTES = 3 * 2 ** 30;
/** Spare frames. */
const SPARE = 64;

/**
 * Makes a machine.
 *
 * @param frames - the most frames of a case that stores bytes.
 * @param blindFrames - the most frames of a case that stores nothing.
 * @throws UsageError when it needs more than 3 GiB.
 */
export function bedOf(configuration: Configuration, frames: number, blindFrames: number): Bed {
  const { format, name } = configuration;
  const { pageShift } = format;
  const tableBytes = LEAST_TABLE_BYTES + TABLE_BYTES_OF_PAGE * Math.max(frames, blindFrames);
  const first = Math.ceil(tableBytes / 2 ** pageShift) + 2 * rootFrames(format);
  const end = first + frames + SPARE;
  const bytes = end * 2 ** pageShift;
  if (bytes > MOST_BYTES) {
    throw new UsageError(
      `${name} needs ${Math.ceil(bytes / 2 ** 20)} MiB of memory, and the limit is ${MOST_BYTES / 2 ** 20} MiB: ` +
        'ask for fewer --nr-pages, --nr-pcpu-objects or --cpus',
    );
  }
  const memory = PhysicalMemory.create({ loops: wasmLoops, bytes });
  return {
    configuration,
    memory,
    tables: new FrameAllocator(memory, { pageShift, first: 0, frames: first }),
    ram: new FrameAllocator(memory, { pageShift, first, frames: end - first }),
    blindRam: new FrameAllocator(null, { pageShift, first: end, frames: blindFrames + SPARE }),
    bytes: memory.bytesAt(0n, bytes),
  };
}
