import { createHash } from 'node:crypto';
import type { Image } from '../../src/index.js';
import type { TestPage } from './writers/bytes.js';

/** The pages of 4 KiB that an image has. */
export function pagesOf(image: Image): TestPage[] {
  const pages: TestPage[] = [];
  for (const { address, bytes } of image.ranges()) {
    for (let pa = address; pa < address + bytes; pa += 4096n) {
      if (image.stateOf(pa) !== 'present') continue;
      pages.push({ address: Number(pa), bytes: image.memory.bytesAt(pa, 4096) });
    }
  }
  return pages;
}

/** Pages as a text that is short and equal for equal ones. To compare megabytes entry by entry took seconds. */
export function digestOf(pages: readonly TestPage[]): string {
  const hash = createHash('sha256');
  for (const { address, bytes } of pages) hash.update(`${address} `).update(bytes);
  return `${pages.length} pages ${hash.digest('hex')}`;
}
