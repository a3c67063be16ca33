import { printable } from '@vmarea/core';

/**
 * Bytes of a file as text for people: UTF-8, or one character a byte where they are none. Control characters are escaped, so a file cannot
 * write to a terminal what it likes.
 *
 * @param kept - a character that is left as it is. Default: none.
 */
export function printableText(bytes: Uint8Array, kept?: string): string {
  const text = decoded(bytes);
  return kept === undefined ? printable(text) : text.split(kept).map(printable).join(kept);
}

/** The language has no decoder of its own but this one. */
function decoded(bytes: Uint8Array): string {
  const plain = String.fromCharCode(...bytes);
  if (bytes.every((byte) => byte < 0x80)) return plain;
  try {
    return decodeURIComponent(
      plain.replace(/./gs, (c) => `%${c.charCodeAt(0).toString(16).padStart(2, '0')}`),
    );
  } catch {
    return plain;
  }
}
