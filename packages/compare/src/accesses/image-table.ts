import {
  isTranslated,
  type LeafRun,
  leafSizes,
  listLeaves,
  type PageTableFormat,
  PageTableReader,
  PhysicalMemory,
  type ReadableTable,
  sparseBank,
  VmError,
} from '@vmarea/core';
import { rootFrames } from '../parts/root-frames.js';
import { type LeafCount, leafCounts } from './leaf-count.js';
import { PART_SHIFT, type TouchedPages } from './touched-pages.js';

/** Physical memory, as far as somebody has it. */
export interface FrameImage {
  /** What messages call it. */
  readonly file: string;
  /**
   * The bytes of a frame; `null` when it is not there.
   *
   * @param address - physical, a multiple of its size.
   */
  frame(address: bigint, bytes: number): Promise<Uint8Array | null>;
}

/** A process's own table, as far as a trace needs it. */
export interface ImageTable {
  readonly table: ReadableTable;
  /** Frames of the tables that translate the parts of 2 MiB that the trace touches. */
  readonly tables: number;
  /** Leaves in those parts. */
  readonly leaves: readonly LeafCount[];
  /** Tables that the image does not have. What they map is not mapped here. */
  readonly missing: number;
}

/**
 * Reads the tables under a root, as far as they translate what a trace touches. One level more is read in each pass.
 *
 * @param root - physical address of the root table.
 * @throws VmError `EINVAL` when the image does not have the root.
 */
export async function imageTable(
  image: FrameImage,
  format: PageTableFormat,
  root: bigint,
  touched: TouchedPages,
): Promise<ImageTable> {
  const size = 2 ** format.pageShift;
  const frames = new Map<bigint, Uint8Array>();
  const missing = new Set<bigint>();
  const take = async (address: bigint): Promise<void> => {
    const bytes = await image.frame(address, size);
    if (bytes === null) missing.add(address);
    else frames.set(address, bytes);
  };
  const first = BigInt.asUintN(64, root) & -BigInt(size);
  for (let i = 0n; i < BigInt(rootFrames(format)); i++) await take(first + i * BigInt(size));
  if (missing.size > 0)
    throw new VmError('EINVAL', `${image.file} does not have the root 0x${root.toString(16)}`);
  const spans = spansOf(touched, format);
  for (;;) {
    const table = open(format, frames, root, image.file);
    const found = spans.flatMap(({ va, bytes }) => [...listLeaves(table, { va, bytes, again: 'list' })]);
    const wanted = new Set<bigint>();
    for (const item of found) {
      if (item.kind === 'again')
        throw new VmError(
          'EINVAL',
          `${image.file}: the table at 0x${item.pa.toString(16)} is met too often: its root may be no page table`,
        );
      if (item.kind === 'missing' && !missing.has(item.pa)) wanted.add(item.pa);
    }
    if (wanted.size === 0) {
      const sizes = leafSizes(format, once(found.filter((item) => item.kind === 'leaves')));
      const leaves = leafCounts(
        format,
        sizes.map(({ bytes, count }) => [Math.log2(bytes), count] as const),
      );
      return { table, tables: frames.size, leaves, missing: missing.size };
    }
    for (const address of wanted) await take(address);
  }
}

/** The runs of several spans, each leaf once: a leaf that lies in two spans is listed in both. */
function once(runs: readonly LeafRun[]): LeafRun[] {
  let done = 0n;
  return runs.flatMap((run) => {
    const size = 1n << BigInt(run.leafShift);
    const seen = run.va >= done ? 0 : Number((done - run.va + size - 1n) / size);
    done = run.va + BigInt(run.count) * size;
    return seen >= run.count
      ? []
      : [
          {
            ...run,
            va: run.va + BigInt(seen) * size,
            count: run.count - seen,
            bytes: done - run.va - BigInt(seen) * size,
          },
        ];
  });
}

function open(
  format: PageTableFormat,
  frames: ReadonlyMap<bigint, Uint8Array>,
  root: bigint,
  file: string,
): PageTableReader {
  const size = 2 ** format.pageShift;
  const bytes = new Uint8Array(frames.size * size);
  [...frames.values()].forEach((frame, i) => {
    bytes.set(frame, i * size);
  });
  const bank = sparseBank({ pageShift: format.pageShift, addresses: [...frames.keys()], bytes });
  try {
    return new PageTableReader({ format, memory: PhysicalMemory.of([bank]), root });
  } catch (error) {
    if (error instanceof VmError) throw new VmError('EINVAL', `${file}: ${error.message}`, { cause: error });
    throw error;
  }
}

/** The parts of 2 MiB that a trace touches and that the format translates, adjacent ones as one. */
function spansOf(touched: TouchedPages, format: PageTableFormat): { va: bigint; bytes: bigint }[] {
  const spans: { va: bigint; bytes: bigint }[] = [];
  const part = 1n << BigInt(PART_SHIFT);
  for (const number of touched.numbers()) {
    const va = BigInt(number) * part;
    if (!isTranslated(format, va)) continue;
    const last = spans.at(-1);
    if (last !== undefined && last.va + last.bytes === va) last.bytes += part;
    else spans.push({ va, bytes: part });
  }
  // A page of the format is at most 64 KiB, so parts are whole pages.
  return format.pageShift > PART_SHIFT ? [] : spans;
}
