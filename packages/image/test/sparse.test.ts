import { listLeaves, type PageTableReader } from '@vmarea/core';
import { describe, expect, test } from 'vitest';
import { bytesSource, findRoots, openImage } from '../src/index.js';
import { dumpOf, formats, rootOf } from './support/dumps.js';
import { SPARSE_BYTES, SparseSource, sparseDump } from './support/sparse.js';

const SET = 'x86-4level';
const vmcoreinfo = openImage(bytesSource(dumpOf(SET, 'zlib'))).vmcoreinfo?.text ?? '';

describe('a dump of 4 GiB of memory', () => {
  test.each(['raw', 'lime', 'elf'] as const)('in %s is opened and listed by few reads', (kind) => {
    const source = new SparseSource(sparseDump(SET, kind));
    const map = kind === 'raw' ? { map: [{ address: 0n }] } : {};
    const image = openImage(source, { ...map, vmcoreinfo });
    expect(image.contents.bytes).toBe(SPARSE_BYTES);
    expect(source.reads).toBeLessThanOrEqual(2);
    const { best } = findRoots(image, { formats });
    expect(best).toMatchObject({ origin: 'vmcoreinfo', root: rootOf(SET, 'kernel') });
    const { leaves, pages } = listed(best?.table ?? null);
    expect(leaves).toBeGreaterThan(100);
    expect(pages).toBeGreaterThan(10_000);
    // 31 reads of 32 KiB: the tables of a kernel are near each other.
    expect(source.reads).toBeLessThanOrEqual(64);
    expect(source.bytes).toBeLessThanOrEqual(2 ** 21);
  });

  test('is looked through by one read of each byte for VMCOREINFO, and one for tables', () => {
    const dump = sparseDump(SET, 'lime');
    const size = 2 ** 26;
    const small = { size, parts: dump.parts.filter(({ offset, bytes }) => offset + bytes.length < size) };
    const source = new SparseSource(small);
    const image = openImage(source, { map: [{ address: 0n }], vmcoreinfo: '' });
    findRoots(image, { formats: { 'x86-64': formats['x86-64'] }, scan: 'always' });
    const once = source.bytes;
    expect(once).toBeLessThan(1.1 * size);
    const again = new SparseSource(small);
    findRoots(openImage(again, { map: [{ address: 0n }] }), { formats, scan: 'always' });
    expect(again.bytes).toBeLessThan(2.2 * size);
    expect(again.bytes).toBeGreaterThan(1.9 * size);
  });

  test('keeps no more than its bound: frames that were used first are read again', () => {
    const { size } = sparseDump(SET, 'raw');
    const source = new SparseSource({ size, parts: [] });
    const image = openImage(source, { map: [{ address: 0n }], frames: 64 });
    const frames = 4096;
    const look = (i: number): unknown => image.memory.locate((i * (SPARSE_BYTES / frames)) / 4096);
    for (let i = 0; i < frames; i++) look(i);
    const all = source.reads;
    expect(all).toBeLessThanOrEqual(frames + 2);
    for (let i = frames - 32; i < frames; i++) look(i);
    expect(source.reads).toBe(all);
    for (let i = 0; i < frames / 2; i++) look(i);
    expect(source.reads - all).toBeGreaterThan(frames / 2 - 64 - 64);
  });
});

function listed(table: PageTableReader | null): { leaves: number; pages: number } {
  let [leaves, pages] = [0, 0];
  for (const item of table === null ? [] : listLeaves(table)) {
    if (item.kind !== 'leaves') continue;
    leaves++;
    pages += item.count * 2 ** (item.leafShift - 12);
  }
  return { leaves, pages };
}
