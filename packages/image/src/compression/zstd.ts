import { decompress } from 'fzstd';
import { lengthIs } from './inflate.js';

/** RFC 8878, section 3.1.1: a frame. */
const MAGIC = 0xfd2fb528;
/** A match has three bytes or more, so a frame of some bytes has at most a third as many sequences. */
const LEAST_MATCH = 3;

/**
 * `fzstd` compares what it unpacks into with 1, by `==`. That writes an array as text, with commas, which took two thirds of the time of a
 * page. With this, an array is no number at once.
 */
const NO_NUMBER = { value: (): number => Number.NaN };

/**
 * Unpacks one zstd frame that says its length, as the one-shot calls of the library write it.
 *
 * `fzstd` believes what a block says of itself, and would spend minutes on some. So the headers of the blocks are checked before.
 */
export function unpackZstd(packed: Uint8Array, into: Uint8Array): string | null {
  const why = checkFrame(packed, into.length);
  if (why !== null) return why;
  const room = Object.defineProperty(new Uint8Array(into.length), Symbol.toPrimitive, NO_NUMBER);
  try {
    decompress(packed, room);
  } catch (error) {
    return `zstd says: ${error instanceof Error ? error.message : 'it is broken'}`;
  }
  into.set(room);
  return null;
}

/** Reads the headers of a frame and its blocks. */
function checkFrame(packed: Uint8Array, expected: number): string | null {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  if (packed.length < 6 || view.getUint32(0, true) !== MAGIC) return 'it has no header of zstd';
  const flags = packed[4] as number;
  const isSingle = (flags & 32) !== 0;
  if ((flags & 8) !== 0) return 'a reserved bit of its header is set';
  if ((flags & 3) !== 0) return 'it needs a dictionary';
  const kind = flags >>> 6;
  const sizeBytes = kind === 0 ? (isSingle ? 1 : 0) : 2 ** kind;
  let at = isSingle ? 5 : 6;
  if (sizeBytes === 0) return 'it does not say its length';
  if (at + sizeBytes > packed.length) return 'it ends inside its header';
  let size = kind === 1 ? 256 : 0;
  for (let i = 0; i < sizeBytes; i++) size += (packed[at + i] as number) * 2 ** (8 * i);
  if (size !== expected) return lengthIs(size, expected);
  at += sizeBytes;
  let room = expected;
  let sequences = Math.ceil(expected / LEAST_MATCH);
  for (let isLast = false; !isLast; ) {
    if (at + 3 > packed.length) return 'it ends inside a block';
    const head =
      (packed[at] as number) | ((packed[at + 1] as number) << 8) | ((packed[at + 2] as number) << 16);
    isLast = (head & 1) !== 0;
    const type = (head >>> 1) & 3;
    const length = head >>> 3;
    at += 3;
    if (type === 3) return 'a block has a reserved type';
    const inFile = type === 1 ? 1 : length;
    if (at + inFile > packed.length) return 'it ends inside a block';
    if (type === 2) {
      sequences -= sequencesOf(packed.subarray(at, at + length));
    } else {
      room -= length;
    }
    if (room < 0 || sequences < 0) return lengthIs(expected + 1, expected);
    at += inFile;
  }
  if (at + ((flags & 4) !== 0 ? 4 : 0) !== packed.length) return 'it has another length than its blocks';
  return null;
}

/** How many sequences a compressed block says that it has. RFC 8878, sections 3.1.1.3.1.1 and 3.1.1.3.2.1. */
function sequencesOf(block: Uint8Array): number {
  const byte = (i: number): number => block[i] ?? 0;
  const isPacked = (byte(0) & 3) > 1;
  const format = (byte(0) >>> 2) & 3;
  const head = byte(0) + byte(1) * 2 ** 8 + byte(2) * 2 ** 16 + byte(3) * 2 ** 24 + byte(4) * 2 ** 32;
  let at: number;
  if (isPacked) {
    const [bytes, bits] = format < 2 ? [3, 10] : format === 2 ? [4, 14] : [5, 18];
    at = bytes + (Math.floor(head / 2 ** (4 + bits)) % 2 ** bits);
  } else {
    const [bytes, shift] = format === 1 ? [2, 4] : format === 3 ? [3, 4] : [1, 3];
    const literals = Math.floor((head % 2 ** (8 * bytes)) / 2 ** shift);
    at = bytes + ((byte(0) & 3) === 1 ? 1 : literals);
  }
  const first = byte(at);
  if (first < 128) return first;
  return first === 255 ? byte(at + 1) + byte(at + 2) * 256 + 0x7f00 : (first - 128) * 256 + byte(at + 1);
}
