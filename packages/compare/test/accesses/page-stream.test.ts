import { describe, expect, test } from 'vitest';
import { PageStream, type PageStreamOptions } from '../../src/accesses/page-stream.js';
import type { Access } from '../support/accesses.js';
import { batchOf } from '../support/accesses.js';

function pages(accesses: readonly Access[], options: Partial<PageStreamOptions> = {}, room = 2 ** 15) {
  const stream = new PageStream({ pageShift: 12, isCollapsed: false, ...options }, room);
  const batch = batchOf(accesses);
  const all: string[] = [];
  for (let at = 0; at < batch.length; ) {
    at = stream.fill(batch, at, batch.length);
    for (let i = 0; i < stream.out.length; i++) {
      const address = (BigInt(stream.out.hi[i] as number) << 32n) | BigInt(stream.out.lo[i] as number);
      all.push(`${'FLS'[stream.out.kind[i] as number]} ${address.toString(16)}`);
    }
  }
  return { all, accesses: [...stream.accesses], unmapped: stream.unmapped };
}

describe('a stream of page accesses', () => {
  test('counts an access that crosses a page for both', () => {
    const { all, accesses } = pages([
      ['L', 0x1ff8n, 8],
      ['L', 0x1ff9n, 8],
      ['S', 0xfffffffcn, 8],
      ['F', 0x2fffn, 2],
      ['L', 0x3000n, 8193],
    ]);
    expect(all).toEqual([
      ...['L 1ff8', 'L 1ff9', 'L 2000', 'S fffffffc', 'S 100000000', 'F 2fff', 'F 3000'],
      ...['L 3000', 'L 4000', 'L 5000'],
    ]);
    expect(accesses).toEqual([2, 6, 2]);
  });

  test('cuts at the pages of the format', () => {
    const across: Access[] = [
      ['L', 0x1ff9n, 8],
      ['L', 0x3ffcn, 8],
    ];
    expect(pages(across, { pageShift: 14 }).all).toEqual(['L 1ff9', 'L 3ffc', 'L 4000']);
    expect(pages(across, { pageShift: 16 }).accesses).toEqual([0, 2, 0]);
  });

  test('leaves out what repeats the page and kind of the last access of its side, and still counts it', () => {
    const { all, accesses } = pages(
      [
        ['F', 0x1000n, 4],
        ['L', 0x9000n, 4],
        ['F', 0x1004n, 4],
        ['L', 0x9008n, 4],
        ['S', 0x9008n, 4],
        ['L', 0x9010n, 4],
        ['F', 0x2000n, 4],
        ['F', 0x1000n, 4],
        ['L', 0x100009000n, 4],
      ],
      { isCollapsed: true },
    );
    expect(all).toEqual(['F 1000', 'L 9000', 'S 9008', 'L 9010', 'F 2000', 'F 1000', 'L 100009000']);
    expect(accesses).toEqual([4, 4, 1]);
  });

  test('leaves out and counts apart what is not mapped', () => {
    const { all, accesses, unmapped } = pages(
      [
        ['L', 0x1000n, 4],
        ['L', 0x2000n, 4],
        ['L', 0x2000n, 4],
        ['L', 0x1000n, 4],
      ],
      { isCollapsed: true, isMapped: (_hi, lo) => lo < 0x2000 },
    );
    expect(all).toEqual(['L 1000']);
    expect({ accesses, unmapped }).toEqual({ accesses: [0, 2, 0], unmapped: 2 });
  });

  test('goes on where its room ended', () => {
    const many = Array.from({ length: 100 }, (_, i): Access => ['L', BigInt(i) << 12n, 1]);
    expect(pages(many, {}, 7).all).toEqual(pages(many).all);
  });
});
