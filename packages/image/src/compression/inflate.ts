import { inflateSync } from 'fflate';

/** Bytes of zlib's header, and of the checksum behind the data. RFC 1950. */
const HEADER = 2;
const CHECKSUM = 4;
/** Largest prime below 2^16, and the most bytes whose sums fit 32 bits: RFC 1950, section 9. */
const BASE = 65521;
const MOST = 5552;

/** Unpacks zlib data, and compares its checksum, which `fflate` leaves out. */
export function inflate(packed: Uint8Array, into: Uint8Array): string | null {
  const [method = 0, flags = 0] = packed;
  if (packed.length < HEADER + CHECKSUM || (method & 15) !== 8 || (method * 256 + flags) % 31 !== 0)
    return 'it has no header of zlib';
  if ((flags & 32) !== 0) return 'it needs a dictionary';
  // One byte more shows data that is longer than it may be.
  const room = new Uint8Array(into.length + 1);
  let found: Uint8Array;
  try {
    found = inflateSync(packed.subarray(HEADER, packed.length - CHECKSUM), { out: room });
  } catch (error) {
    return `inflate says: ${error instanceof Error ? error.message : 'it is broken'}`;
  }
  if (found.length !== into.length) return lengthIs(found.length, into.length);
  const end = new DataView(packed.buffer, packed.byteOffset + packed.length - CHECKSUM, CHECKSUM);
  if (adler32(found) !== end.getUint32(0, false)) return 'its checksum differs';
  into.set(found);
  return null;
}

/** The clause about a wrong length. */
export function lengthIs(found: number, expected: number): string {
  return found > expected
    ? `it unpacks to more than ${expected} bytes`
    : `it unpacks to ${found} bytes, not ${expected}`;
}

function adler32(bytes: Uint8Array): number {
  let a = 1;
  let b = 0;
  for (let i = 0; i < bytes.length; ) {
    for (const end = Math.min(i + MOST, bytes.length); i < end; i++) {
      a += bytes[i] as number;
      b += a;
    }
    a %= BASE;
    b %= BASE;
  }
  return b * 65536 + a;
}
