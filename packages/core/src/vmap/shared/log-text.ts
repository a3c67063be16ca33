/** Characters that one call turns into a string. */
const PIECE = 8192;

/** Text of plain data. Bigints become `#` and hexadecimal digits. All characters are ASCII. */
export function textOf(value: unknown): string {
  const text = JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part === 'bigint') return `#${part.toString(16)}`;
    return typeof part === 'string' && (part.startsWith('#') || part.startsWith('\\')) ? `\\${part}` : part;
  });
  return text.replace(/[^\0-\x7f]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** What `textOf` wrote. */
export function parsed(text: string): unknown {
  return JSON.parse(text, (_key, part: unknown) => {
    if (typeof part !== 'string') return part;
    if (part.startsWith('#')) return BigInt(`0x${part.slice(1)}`);
    return part.startsWith('\\') ? part.slice(1) : part;
  });
}

/** Writes ASCII text. Hosts differ in whether their TextEncoder writes into shared memory. */
export function writeText(bytes: Uint8Array, at: number, text: string): void {
  for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i);
}

/** A sum of bytes (FNV-1a). Bytes that another thread was writing meanwhile have another one. */
export function sumOf(text: string): number {
  let sum = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) sum = Math.imul(sum ^ text.charCodeAt(i), 0x01000193);
  return sum | 0;
}

/** Reads ASCII text. */
export function readText(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += PIECE)
    text += String.fromCharCode(...bytes.subarray(at, at + PIECE));
  return text;
}
