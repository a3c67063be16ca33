import { inflate } from './inflate.js';
import { unpackLzo } from './lzo.js';
import { unpackSnappy } from './snappy.js';
import { unpackZstd } from './zstd.js';

/**
 * Unpacks bytes whose unpacked length is known.
 *
 * @param packed - as they are in the file; not changed.
 * @param into - receives the bytes; filled exactly.
 * @returns null, or what is wrong with the packed bytes: a clause for a message.
 */
export type Unpack = (packed: Uint8Array, into: Uint8Array) => string | null;

/** Compressions by the flag of a kdump page descriptor. Source: makedumpfile diskdump_mod.h; crash diskdump.h. */
export const UNPACK: ReadonlyMap<number, { readonly name: string; readonly unpack: Unpack }> = new Map([
  [0x1, { name: 'zlib', unpack: inflate }],
  [0x2, { name: 'LZO', unpack: unpackLzo }],
  [0x4, { name: 'snappy', unpack: unpackSnappy }],
  [0x20, { name: 'zstd', unpack: unpackZstd }],
]);
