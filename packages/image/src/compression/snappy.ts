import { lengthIs } from './inflate.js';

/**
 * Unpacks a raw snappy block.
 *
 * Source: google/snappy format_description.txt.
 */
export function unpackSnappy(packed: Uint8Array, into: Uint8Array): string | null {
  const head = snappyLength(packed);
  if (head === null) return 'it has no length';
  if (head.length !== into.length) return lengthIs(head.length, into.length);
  const end = packed.length;
  let at = head.bytes;
  let out = 0;
  while (at < end) {
    const tag = packed[at++] as number;
    const kind = tag & 3;
    let length: number;
    let distance: number;
    if (kind === 0) {
      length = tag >>> 2;
      if (length >= 60) {
        const more = length - 59;
        if (at + more > end) return 'it ends inside a length';
        length = 0;
        for (let i = 0; i < more; i++) length += (packed[at + i] as number) * 2 ** (8 * i);
        at += more;
      }
      length++;
      if (length > end - at) return 'it ends inside a literal';
      if (length > into.length - out) return lengthIs(into.length + 1, into.length);
      into.set(packed.subarray(at, at + length), out);
      at += length;
      out += length;
      continue;
    }
    const more = kind === 1 ? 1 : kind === 2 ? 2 : 4;
    if (at + more > end) return 'it ends inside a copy';
    if (kind === 1) {
      length = 4 + ((tag >>> 2) & 7);
      distance = ((tag >>> 5) << 8) | (packed[at] as number);
    } else {
      length = (tag >>> 2) + 1;
      distance = 0;
      for (let i = 0; i < more; i++) distance += (packed[at + i] as number) * 2 ** (8 * i);
    }
    at += more;
    if (distance === 0 || distance > out) return 'it copies from before its beginning';
    if (length > into.length - out) return lengthIs(into.length + 1, into.length);
    copyWithin(into, out, distance, length);
    out += length;
  }
  return out === into.length ? null : lengthIs(out, into.length);
}

/** The unpacked length that a snappy block says, and the bytes that say it; `null` when they are none. */
export function snappyLength(packed: Uint8Array): { length: number; bytes: number } | null {
  let length = 0;
  for (let i = 0; i < 5 && i < packed.length; i++) {
    const byte = packed[i] as number;
    length += (byte & 127) * 2 ** (7 * i);
    if (byte < 128) return { length, bytes: i + 1 };
  }
  return null;
}

/** Copies bytes of the output to its end, one by one where they overlap: a distance of 1 repeats a byte. */
export function copyWithin(into: Uint8Array, to: number, distance: number, length: number): void {
  if (distance >= length) {
    into.copyWithin(to, to - distance, to - distance + length);
    return;
  }
  for (let i = to; i < to + length; i++) into[i] = into[i - distance] as number;
}
