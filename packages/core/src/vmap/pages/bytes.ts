import { bytesOf, zeroFrame } from '../../space/frame-bytes.js';
import type { OwnedFrames } from '../../space/frame-owners.js';
import type { KernelSpace } from '../kernel-space.js';

/** Fills frames with zeros, where they have bytes. */
export function zeroFrames(space: KernelSpace, { heads, order }: OwnedFrames): void {
  for (const head of heads) for (let i = 0; i < 2 ** order; i++) zeroFrame(space, head + i);
}

/**
 * Copies the first bytes of frames to other frames, where both have bytes.
 *
 * @param length - bytes.
 */
export function copyBytes(
  space: KernelSpace,
  from: ArrayLike<number>,
  to: ArrayLike<number>,
  length: number,
): void {
  for (let i = 0, left = length; left > 0; i++, left -= space.pageBytes) {
    const source = bytesOf(space, from[i] as number);
    if (source !== null)
      bytesOf(space, to[i] as number)?.set(source.subarray(0, Math.min(left, space.pageBytes)));
  }
}

/**
 * `vread`: copies what areas map. Holes, device ranges, sparse areas and frames without bytes read as zeros.
 *
 * @param start - first address.
 * @param into - receives the bytes. It is filled.
 * @param mappedAt - the frame to read for a page, by its address; -1 for a page that reads as zeros.
 */
export function readPages(
  space: KernelSpace,
  start: bigint,
  into: Uint8Array,
  mappedAt: (page: bigint) => number,
): void {
  into.fill(0);
  for (let at = 0; at < into.length; ) {
    const address = start + BigInt(at);
    const offset = Number(address & (space.pages - 1n));
    const length = Math.min(space.pageBytes - offset, into.length - at);
    const pfn = mappedAt(address - BigInt(offset));
    const bytes = pfn < 0 ? null : bytesOf(space, pfn);
    if (bytes !== null) into.set(bytes.subarray(offset, offset + length), at);
    at += length;
  }
}
