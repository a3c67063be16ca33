import { codeOf, refusal } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { PhysicalMemory } from '../../src/memory/physical-memory.js';
import { type MemorySource, sourceBank } from '../../src/memory/source-bank.js';
import { wrong } from './support.js';

/** Bytes with pages of 4 KiB, a gap, and an end inside a page. Byte `n` of page `p` is `p + n`. It counts its reads. */
class Pages implements MemorySource {
  readonly start = 0x3000;
  readonly end = 0x9c00;
  readonly bytes = 0x5c00;
  reads = 0;

  adjacent(address: number): number {
    if (address < this.start || address >= this.end || (address >= 0x5000 && address < 0x6000)) return 0;
    return Math.min(0x1000 - (address % 0x1000), this.end - address);
  }

  read(address: number, into: Uint8Array): void {
    this.reads++;
    into.forEach((_, i) => {
      into[i] = Math.floor((address + i) / 4096) + address + i;
    });
  }

  whyNot(address: number): string | null {
    return address < this.end ? 'the page was left out' : null;
  }

  isZeroFrame(address: number): boolean {
    return address === 0x5000;
  }
}

describe('a bank over a source', () => {
  const memory = PhysicalMemory.of([sourceBank(new Pages())]);

  test('says where it is, and what it has', () => {
    expect(memory.banks[0]).toMatchObject({
      ...{ base: 0x3000n, bytes: 0x5c00, writable: false, linear: false, atomic: null },
    });
    expect(String(memory)).toContain('0x0000000000003000-0x0000000000009fff (an image with 23552 bytes)');
  });

  test('reads words and bytes, also across pages', () => {
    expect(memory.read32(0x3004n)).toBe(0x0a090807);
    expect(memory.read64(0x4000n)).toBe(0x0b0a090807060504n);
    expect([...memory.bytesAt(0x3ffen, 4)]).toEqual([1, 2, 4, 5]);
    expect(memory.bytesAt(0x6000n, 0x3c00)).toHaveLength(0x3c00);
  });

  test('has no bytes in a gap, before, behind, and where a page is cut', () => {
    for (const pa of [0n, 0x2ff8n, 0x5000n, 0x9c00n, 0xa000n])
      expect(refusal(() => memory.read64(pa))).toMatchObject({ code: 'EFAULT', address: pa });
    expect(refusal(() => memory.bytesAt(0x4ff0n, 0x20))).toMatchObject({ code: 'EFAULT', address: 0x5000n });
    expect(refusal(() => memory.read64(0x5000n)).message).toContain('; the page was left out');
    expect(refusal(() => memory.read64(0xa000n)).message).toContain('; there are 0x0000000000003000-');
    expect(memory.locate(9)).toBeNull();
    expect(memory.locate(2, 14)).toBeNull();
    expect(memory.locate(2)).toBeNull();
  });

  test('gives each frame a bank of its own, and one of zeros where the source says so', () => {
    const place = memory.locate(4);
    expect(place?.word).toBe(0);
    expect(place?.bank).toMatchObject({ base: 0x4000n, bytes: 4096, writable: false, linear: false });
    expect(place?.bank.words[0]).toBe(0x07060504);
    expect(place?.bank.wordOf(5, 12)).toBe(-1);
    expect(memory.locate(5)?.bank.words.every((word) => word === 0)).toBe(true);
    expect(codeOf(() => memory.banks[0]?.words)).toBe('EOPNOTSUPP');
  });

  test('fetches a frame once while it keeps it', () => {
    const source = new Pages();
    const few = PhysicalMemory.of([sourceBank(source, { frames: 4 })]);
    for (let i = 0; i < 10; i++) for (const pfn of [3, 4, 6, 7]) few.locate(pfn);
    expect(source.reads).toBe(4);
  });

  test('keeps no more frames than it was told, and a held frame stays as it was', () => {
    const source = new Pages();
    const few = PhysicalMemory.of([sourceBank(source, { frames: 4 })]);
    const held = few.locate(3);
    const before = held?.bank.words.slice();
    for (let round = 0; round < 2; round++) for (const pfn of [3, 4, 6, 7, 8]) few.locate(pfn);
    expect(source.reads).toBeGreaterThan(6);
    expect(held?.bank.words).toEqual(before);
  });

  test('refuses writes', () => {
    expect(codeOf(() => memory.write32(0x3004n, 1))).toBe('EPERM');
    expect(codeOf(() => memory.write64(0x3000n, 1n))).toBe('EPERM');
  });

  test.each([0, 3, 6, 2 ** 21, 4.5, '8'])('refuses to keep %s frames', (frames) => {
    expect(codeOf(() => sourceBank(new Pages(), { frames: wrong(frames) }))).toBe('EINVAL');
  });

  test('refuses what is no source', () => {
    for (const source of [null, {}, { read() {} }, { ...new Pages(), start: -1, adjacent() {}, read() {} }])
      expect(codeOf(() => sourceBank(wrong(source)))).toBe('EINVAL');
    expect(codeOf(() => sourceBank(wrong(new Pages()), wrong({ frame: 8 })))).toBe('EINVAL');
  });
});
