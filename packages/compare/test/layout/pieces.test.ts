import type { Protection } from '@vmarea/core';
import { describe, expect, test } from 'vitest';
import { type Piece, piecesOf, portionsOf } from '../../src/layout/pieces.js';

const protection = {} as Protection;
const frames = (count: number) => Uint32Array.from({ length: count }, (_, i) => 100 + i);

describe('a piece is cut into portions', () => {
  const device: Piece = { type: 'device', start: 0x5000n, end: 0x5000n + 0x9000n, physical: 0x8000_1000n };

  test('at multiples of their bytes, so that no leaf is cut', () => {
    const portions = portionsOf(device, 3, protection, 12, 4);
    expect(portions.map(({ index, pages }) => [index, pages])).toEqual([
      [3, 3],
      [3, 4],
      [3, 2],
    ]);
    expect(portions.map(({ piece }) => piece)).toEqual([
      { type: 'device', start: 0x5000n, end: 0x8000n, physical: 0x8000_1000n },
      { type: 'device', start: 0x8000n, end: 0xc000n, physical: 0x8000_4000n },
      { type: 'device', start: 0xc000n, end: 0xe000n, physical: 0x8000_8000n },
    ]);
  });

  test('into one when it is small', () => {
    expect(portionsOf(device, 0, protection, 12).map(({ piece }) => piece)).toEqual([device]);
  });

  test('with the frames of each', () => {
    // Two chunks of 4 frames, then 3 single frames, from page 2 of 4 on.
    const pieces = piecesOf(0x4000n, 2, 2, frames(11), 12);
    const portions = pieces.flatMap((piece) => portionsOf(piece, 0, protection, 12, 4));
    expect(
      portions.map(({ piece }) => [
        piece.type,
        piece.type === 'device' ? [] : [...piece.frames],
        piece.type === 'pages' ? piece.page : piece.start,
      ]),
    ).toEqual([
      ['chunks', [100, 101, 102, 103], 0x4000n],
      ['chunks', [104, 105, 106, 107], 0x8000n],
      ['pages', [108, 109, 110], 8],
    ]);
    const single: Piece = { type: 'pages', start: 0x6000n, page: 2, frames: frames(7) };
    expect(portionsOf(single, 0, protection, 12, 4).map(({ piece, pages }) => [piece, pages])).toEqual([
      [{ type: 'pages', start: 0x6000n, page: 2, frames: Uint32Array.of(100, 101) }, 2],
      [{ type: 'pages', start: 0x8000n, page: 4, frames: Uint32Array.of(102, 103, 104, 105) }, 4],
      [{ type: 'pages', start: 0xc000n, page: 8, frames: Uint32Array.of(106) }, 1],
    ]);
  });
});
