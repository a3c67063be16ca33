import { describe, expect, test } from 'vitest';
import { bytesSource, findRoots, type Image, openImage } from '../../src/index.js';

/** Raw memory of pages, each filled by a function. */
function rawOf(pages: number, fill: (page: Uint8Array, number: number) => void): Image {
  const file = new Uint8Array(pages * 4096);
  for (let i = 0; i < pages; i++) fill(file.subarray(i * 4096, (i + 1) * 4096), i);
  return openImage(bytesSource(file), { map: [{ address: 0n }] });
}

/** A text that no NUL ends. */
function write(page: Uint8Array, text: string): void {
  page.fill(0x20).set(new TextEncoder().encode(text));
}

describe('the search for VMCOREINFO', () => {
  test('ends after 16 different texts, and says so', () => {
    const image = rawOf(1000, (page, i) => write(page, `OSRELEASE=${i}\n`));
    const { vmcoreinfo, reasons } = findRoots(image, { formats: {} });
    expect(vmcoreinfo.map(({ from }) => from)).toEqual(
      Array.from({ length: 16 }, (_, i) => `memory at 0x${(i * 4096).toString(16)}`),
    );
    expect(vmcoreinfo.every(({ text }) => text.length === 65536)).toBe(true);
    expect(reasons[0]).toBe(
      'the search for VMCOREINFO ended at 0x10000, after 16 places with 16 different texts',
    );
  });

  test('ends after 256 places with the same text, and says so', () => {
    const image = rawOf(1000, (page) => write(page, 'OSRELEASE=6.1\n'));
    const { vmcoreinfo, reasons } = findRoots(image, { formats: {} });
    expect(vmcoreinfo).toHaveLength(1);
    expect(reasons[0]).toBe(
      'the search for VMCOREINFO ended at 0x100000, after 256 places with 1 different texts',
    );
  });
});

test('the progress of both looks through memory is told: for VMCOREINFO, and for tables', () => {
  const image = rawOf(4096, (page, i) => page.fill(i & 1 ? 0 : 3));
  const told: bigint[] = [];
  findRoots(image, { formats: {}, progress: (address) => void told.push(address) });
  const one = [4n, 8n, 12n, 16n].map((mebibytes) => mebibytes << 20n);
  expect(told).toEqual([...one, ...one]);
});
