import { broken } from '../source/broken.js';
import { type Reader, text, u64 } from '../source/reader.js';
import { type Contents, NOTHING } from './contents.js';
import { checkRange, MOST_PIECES, pieceContents, piecesIn } from './piece-contents.js';
import type { Piece } from './pieces.js';

export const PTIMAGE_MAGIC = 'PTIMAGE1';

const HEADER = 12;
const MOST_JSON = 2 ** 20;

/**
 * This project's own container: page tables cut out of memory.
 *
 * ```text
 * "PTIMAGE1" | u32 length of the header | header (JSON) | frames × u64 physical address | frames × frame   (little-endian)
 * ```
 *
 * @throws VmError `EINVAL` when it is damaged.
 */
export function openPtimage(reader: Reader): Contents {
  const length = reader.view(8, 4, 'the length of the header').getUint32(0, true);
  if (length > MOST_JSON) throw broken(8, `a header of ${length} bytes: expected at most ${MOST_JSON}`);
  const { pageShift, frames, registers } = headerOf(reader.bytes(HEADER, length, 'the header'));
  const size = 2 ** pageShift;
  const addresses = HEADER + length;
  const first = addresses + 8 * frames;
  if (first > reader.size)
    throw broken(
      addresses,
      `the addresses of ${frames} frames: the file has ${reader.size} bytes`,
      'is it truncated?',
    );
  const pieces: Piece[] = [];
  for (let i = 0; i < frames; i++) {
    const offset = addresses + 8 * i;
    const start = u64(reader.view(offset, 8, 'the address of a frame'), 0);
    checkRange(offset, start, start + size);
    pieces.push(...piecesIn(reader, start, first + i * size, size));
  }
  return pieceContents(reader, pieces, {
    ...NOTHING,
    kind: 'ptimage',
    pageSize: size,
    registers,
    warnings: [],
  });
}

interface Header {
  readonly pageShift: number;
  readonly frames: number;
  readonly registers: ReadonlyMap<string, bigint> | null;
}

function headerOf(bytes: Uint8Array): Header {
  let json: { readonly [name: string]: unknown };
  try {
    json = Object(JSON.parse(text(bytes)));
  } catch {
    throw broken(HEADER, 'the header is no JSON');
  }
  const { pageShift, frames } = json;
  if (pageShift !== 12 && pageShift !== 14 && pageShift !== 16)
    throw broken(HEADER, `pageShift is ${JSON.stringify(pageShift)}: expected 12, 14 or 16`);
  if (!Number.isInteger(frames) || (frames as number) < 1 || (frames as number) > MOST_PIECES)
    throw broken(HEADER, `frames is ${JSON.stringify(frames)}: expected 1 to ${MOST_PIECES}`);
  return { pageShift, frames: frames as number, registers: registersOf(json.registers) };
}

/** Registers as the header writes them: hexadecimal text by name. Others are not read. */
function registersOf(value: unknown): ReadonlyMap<string, bigint> | null {
  if (typeof value !== 'object' || value === null) return null;
  return new Map(
    Object.entries(value)
      .filter(([, digits]) => typeof digits === 'string' && /^0x[\da-f]{1,16}$/i.test(digits))
      .map(([name, digits]) => [name.toLowerCase(), BigInt(digits as string)]),
  );
}
