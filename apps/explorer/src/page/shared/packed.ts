/** The most characters of a packed text in a link: what programs that pass links on keep whole. */
export const MOST_IN_LINK = 8000;
/** The most characters that a link may unpack to. A few bytes can stand for gigabytes. */
const MOST_UNPACKED = 2 ** 20;

/** A text for a link: compressed, in base64 of URLs. `null` when it is too long for one. */
export async function pack(text: string): Promise<string | null> {
  // It cannot come below the limit, and need not be tried.
  if (text.length > MOST_UNPACKED) return null;
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream('deflate-raw'));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  // 3 bytes are 4 characters.
  if (bytes.length > (MOST_IN_LINK / 4) * 3) return null;
  const base64 = btoa(String.fromCharCode(...bytes));
  return base64.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** The text of a link; `null` when it is none, such as one that was cut. */
export async function unpack(packed: string): Promise<string | null> {
  if (packed.length > MOST_IN_LINK) return null;
  try {
    const base64 = packed.replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
    const decoder = new TextDecoder('utf-8', { fatal: true });
    const reader = stream.getReader();
    let text = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return text + decoder.decode();
      text += decoder.decode(value, { stream: true });
      if (text.length <= MOST_UNPACKED) continue;
      await reader.cancel();
      return null;
    }
  } catch {
    return null;
  }
}
