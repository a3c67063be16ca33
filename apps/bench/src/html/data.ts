import { gzipSync } from 'node:zlib';
import { html, type Markup } from './markup.js';

/** Text of more characters is packed: a page with hundreds of rows is then smaller than without its data. */
const PLAIN = 65536;

/**
 * The result in a page, for programs: JSON in the element `data`. Its type is `application/json`, or `application/gzip` where it is packed
 * and written in base64. Bigints become hexadecimal text.
 */
export function dataOf(data: unknown): Markup {
  const json = JSON.stringify(data, (_key, value) =>
    typeof value === 'bigint' ? `0x${value.toString(16)}` : value,
  );
  return json.length <= PLAIN
    ? html`<script type="application/json" id="data">${{ markup: json.replaceAll('<', '\\u003c') }}</script>`
    : html`<script type="application/gzip" id="data">${{ markup: gzipSync(json).toString('base64') }}</script>`;
}

/** Saves the data of a page as a file. It is put into pages as it is. */
export const SAVING: string = `
document.getElementById('save').addEventListener('click', async () => {
  const { type, textContent } = document.getElementById('data');
  let blob = new Blob([textContent]);
  if (type === 'application/gzip') {
    const packed = new Blob([Uint8Array.from(atob(textContent), (c) => c.charCodeAt(0))]);
    blob = await new Response(packed.stream().pipeThrough(new DecompressionStream('gzip'))).blob();
  }
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = 'data.json';
  link.click();
});`;
