import { VmError } from '@vmarea/core';
import type { Image } from '@vmarea/image';
import type { ChosenRoot } from '../roots/choose.js';
import { tableFrames } from './tables.js';

/** Page tables cut out of a dump. */
export interface CutTables {
  /** Number of tables. */
  readonly frames: number;
  /** Length of the whole file. */
  readonly bytes: number;
  /** Registers in its header, by which `findRoots` finds the root again; `null` when they cannot say it. */
  readonly registers: Readonly<Record<string, bigint>> | null;
  /** Why there are none, in words; `null` when there are. */
  readonly whyNot: string | null;
  /** The parts of the file, in order. A part is valid until the next one is asked for. */
  parts(): IterableIterator<Uint8Array>;
}

const MAGIC = 'PTIMAGE1';
/** A reader takes no more. */
const MOST_FRAMES = 2 ** 20;

/**
 * Cuts the tables of one root out of a dump, as a file that `openImage` opens: the container PTIMAGE1, with nothing but the frames
 * of the tables and the registers that name the root.
 *
 * ```text
 * "PTIMAGE1" | u32 length of the header | header (JSON) | frames × u64 physical address | frames × frame   (little-endian)
 * ```
 *
 * @throws VmError `E2BIG` for more tables than a reader takes.
 */
export function cutTables({ table, format, known, root, machine }: ChosenRoot, image: Image): CutTables {
  const { pageShift } = format;
  const { frames } = tableFrames(table, image.memory);
  if (frames.length > MOST_FRAMES)
    throw new VmError('E2BIG', `there are ${frames.length} tables: the container holds ${MOST_FRAMES}`);
  const registers = machine?.registers(format, known, root) ?? 'its format is not one of findRoots';
  const isKnown = typeof registers !== 'string';
  const header = {
    pageShift,
    frames: frames.length,
    ...(isKnown ? { registers: Object.fromEntries(Object.entries(registers).map(hexadecimal)) } : {}),
    format: format.name,
    root: `0x${root.toString(16)}`,
  };
  const json = new TextEncoder().encode(JSON.stringify(header));
  const size = 2 ** pageShift;
  return {
    frames: frames.length,
    bytes: MAGIC.length + 4 + json.length + frames.length * (8 + size),
    registers: isKnown ? registers : null,
    whyNot: isKnown ? null : registers,
    *parts() {
      yield new TextEncoder().encode(MAGIC);
      yield new Uint8Array(Uint32Array.of(json.length).buffer);
      yield json;
      const addresses = BigUint64Array.from(frames, (pfn) => BigInt(pfn) << BigInt(pageShift));
      yield new Uint8Array(addresses.buffer);
      for (const pfn of frames) yield frameOf(image, pfn, pageShift);
    },
  };
}

function hexadecimal([name, value]: [string, bigint]): [string, string] {
  return [name, `0x${value.toString(16)}`];
}

/** A frame that was read as a table, also one that the dump left out because it is zero. */
function frameOf({ memory }: Image, pfn: number, pageShift: number): Uint8Array {
  const place = memory.locate(pfn, pageShift);
  if (place === null)
    throw new VmError('EFAULT', 'the dump lost a table', { address: BigInt(pfn) << BigInt(pageShift) });
  const { words } = place.bank;
  return new Uint8Array(words.buffer, words.byteOffset + 4 * place.word, 2 ** pageShift);
}
