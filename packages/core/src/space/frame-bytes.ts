import type { Space } from './space.js';

/** The bytes of a frame; `null` for one that has none. */
export function bytesOf({ memory, pageShift, pageBytes }: Space, pfn: number): Uint8Array | null {
  const place = memory.locate(pfn, pageShift);
  if (place === null) return null;
  const { words } = place.bank;
  return new Uint8Array(words.buffer, words.byteOffset + 4 * place.word, pageBytes);
}

/** Fills a frame with zeros, where it has bytes. */
export function zeroFrame(space: Space, pfn: number): void {
  bytesOf(space, pfn)?.fill(0);
}

/** Copies a frame, where the target has bytes. A source without bytes reads as zeros. */
export function copyFrame(space: Space, from: number, to: number): void {
  const target = bytesOf(space, to);
  if (target === null) return;
  const source = bytesOf(space, from);
  if (source === null) target.fill(0);
  else target.set(source);
}
