import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { capture, rowsOf } from '../support/capture.js';
import { dumpOf, temporary, withoutFrames, X86 } from '../support/dumps.js';

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
});
