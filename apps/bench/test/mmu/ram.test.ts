import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CheckError } from '@vmarea/cli';
import { afterAll, describe, expect, it } from 'vitest';
import { SharedRam } from '../../src/mmu/guest/ram.js';
import { TARGETS } from '../../src/mmu/targets/index.js';

const folder = mkdtempSync(join(tmpdir(), 'vmarea-ram-'));
afterAll(() => rmSync(folder, { recursive: true }));

const BASE = 0x8000n;
const BYTES = 0x1000n;

describe("a guest's memory", () => {
  it('keeps words up to its last byte', () => {
    const ram = new SharedRam(join(folder, 'kept'), BYTES, (pa) => pa - BASE);
    ram.write64(BASE, 5n);
    ram.write64(BASE + BYTES - 8n, 6n);
    expect([ram.read64(BASE), ram.read64(BASE + 8n), ram.read64(BASE + BYTES - 8n)]).toEqual([5n, 0n, 6n]);
    ram.close();
  });

  it.each([
    ['before its first byte', BASE - 8n],
    ['one byte before it', BASE - 1n],
    ['over its end', BASE + BYTES - 7n],
    ['after its end', BASE + BYTES],
    ['far away', 1n << 60n],
  ])('refuses an access %s, which stores nothing', (_, pa) => {
    const path = join(folder, 'refused');
    const ram = new SharedRam(path, BYTES, (at) => at - BASE);
    expect(() => ram.write64(pa, ~0n & 0xffn)).toThrow(CheckError);
    expect(() => ram.read64(pa)).toThrow(/^the guest has no memory for 8 bytes at 0x/);
    const all = new Uint8Array(Number(BYTES));
    ram.read(BASE, all);
    expect(all.every((byte) => byte === 0)).toBe(true);
    expect(statSync(path).size).toBe(Number(BYTES));
    ram.close();
  });

  it.each(TARGETS.map((target) => [target.name, target] as const))(
    'has its own offset for each address (%s)',
    (name, { ram }) => {
      const places = [ram.stub, ...ram.banks.map(({ base }) => base), ram.frames[0], ram.frames[1] - 1n].map(
        ram.offsetOf,
      );
      expect(new Set(places).size).toBe(places.length);
      for (const place of places) expect(place >= 0n && place < ram.bytes).toBe(true);
      // The machine has a hole or nothing there.
      const outside = [ram.frames[1], name === 'x86-64' ? 0xffff_f000n : ram.stub - (1n << 40n)];
      for (const pa of outside) {
        const place = ram.offsetOf(pa);
        expect(place < 0n || place >= ram.bytes).toBe(true);
      }
    },
  );
});
