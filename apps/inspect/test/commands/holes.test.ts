import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { capture, rowsOf } from '../support/capture.js';
import { dumpOf, temporary, truthOf, withoutFrames, X86 } from '../support/dumps.js';

/** Tables of a process, and the same without those that translate an address, from a level on. */
async function cutAt(va: string, level: number): Promise<{ whole: string; cut: string }> {
  const whole = join(temporary(), `whole-${va}-${level}`);
  const cut = `${whole}-cut`;
  await capture(['export', dumpOf(X86), '--root', 'process', '--output', whole]);
  const [row] = await rowsOf(['walk', whole, va]);
  const { entries } = row as unknown as { entries: { address: string }[] };
  const tables = entries.slice(level).map(({ address }) => BigInt(address) & ~0xfffn);
  withoutFrames(whole, cut, tables);
  return { whole, cut };
}

const user = truthOf(X86, 'target').filter(({ va }) => va < 1n << 47n);

describe('a table that the dump lacks', () => {
  test('is told from an address that is not mapped by translate', async () => {
    const { cut } = await cutAt('400000', 3);
    const asked = ['400000', '400123', '401fff', '0', 'ffffffff93e00000'];
    const { out, err } = await capture(['translate', cut, ...asked]);
    expect(out.split('\n').map((line) => line.slice(20))).toEqual([
      ...['?', '?', '?', '-', '0x0000000001000000  2M'],
      '',
    ]);
    expect(err).toContain('1 of 5 addresses are translated\n3 addresses are unknown (?)');
    expect(await rowsOf(['translate', cut, '400123', '0'])).toEqual([
      { va: '0x0000000000400123', pa: null, leafBytes: null, missing: true },
      { va: '0x0000000000000000', pa: null, leafBytes: null },
    ]);
  });

  test('is told by translate as often as its page is asked for', async () => {
    const { cut } = await cutAt('400000', 3);
    const stdin = '400000\n'.repeat(10_000);
    const { out, err } = await capture(['translate', cut], { stdin });
    expect(out).toBe('0x0000000000400000  ?\n'.repeat(10_000));
    expect(err).toContain('10,000 addresses are unknown');
  });

  test('is counted by processes, and leaves out what it maps', async () => {
    const { whole, cut } = await cutAt('400000', 3);
    const [before] = await rowsOf(['processes', whole]);
    const [after] = await rowsOf(['processes', cut]);
    const lost = user
      .filter(({ va, flags }) => va >= 0x400000n && va < 0x600000n && (flags & 4n) !== 0n)
      .reduce((sum, { count, size }) => sum + BigInt(count) * size, 0n);
    expect(before).toMatchObject({ missing: 0, again: 0 });
    expect(after).toMatchObject({ root: before?.root, missing: 1 });
    expect(BigInt(before?.userBytes as string) - BigInt(after?.userBytes as string)).toBe(lost);
    const { err } = await capture(['processes', cut]);
    expect(err).toBe('1 table is not in the dump: what they map is unknown\n');
  });

  test('hides no process whose tables are all missing, and what it maps is unknown', async () => {
    const { whole } = await cutAt('400000', 1);
    const low = new Set<bigint>();
    for (const va of new Set(user.map((one) => (one.va >> 39n) << 39n))) {
      const [row] = await rowsOf(['walk', whole, va.toString(16)]);
      const { entries } = row as unknown as { entries: { address: string }[] };
      low.add(BigInt(entries[1]?.address ?? 0) & ~0xfffn);
    }
    const cut = `${whole}-low`;
    withoutFrames(whole, cut, [...low]);
    const { out } = await capture(['processes', cut]);
    expect(out.split('\n')[2]).toMatch(/^0x000000000533c000 .* \d+ +\d+ +\? +\? +\?$/);
  });
});
