import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { capture } from '../support/capture.js';
import { pathOf } from '../support/files.js';

const folder = mkdtempSync(join(tmpdir(), 'vmarea-replay-'));
afterAll(() => rmSync(folder, { recursive: true }));

const HEAD = '#page 4096\n#cpus 1\n#nodes 1\n#w 0 ffffc90000000000 ffffe8ffffffffff\n';
const ROWS = [
  '3\t0\t0\tA\tffffc90000000000\t5000\t1\t0\t0',
  '1\t0\t0\tF\tffffc90000000000\t5\t8192',
  '1\t0\t0\tP\tffffc90000000000\tffffc90000005000\t1',
  '1\t0\t0\tA\tffffc90000000000\t2000\t1000\t0\t0',
];

function file(name: string, text: string, isPacked = false): string {
  writeFileSync(join(folder, name), isPacked ? gzipSync(text) : text);
  return name;
}

describe('vmarea-bench replay', () => {
  it('shows what is equal', async () => {
    const { code, out, err } = await capture(['replay', pathOf('test/data/traces/arm64-4k-1cpu')]);
    expect(code).toBe(0);
    expect(err).toBe('');
    expect(out).toMatch(/placements +85,416 +85,416 +0/);
    expect(out).toMatch(/vmallocinfo at the end: unpurged +27 +27 +0/);
    expect(out).toContain('Everything is equal.');
  });

  it('runs the stream on other formats, and draws a chart', async () => {
    const rows = Array.from({ length: 40 }, () => ROWS).flat();
    const path = file('short.tsv', `${HEAD}${rows.join('\n')}\n`);
    const { out } = await capture(['replay', path, '--format', 'arm64-16k-47'], { cwd: folder });
    expect(out).toMatch(/^arm64-16k-47 +[\d,]+ +[\d,]+ +\d+% +[\d,]+ +[\d,.]+ +[\d.]+%$/m);
    expect(out).toMatch(/^arm64-16k-47 +[\d.]+ +[\d,]+ +[\d,]+ +[\d,]+ +[\d,]+ +0$/m);
    expect(out).toContain('Holes in percent over the stream, pages of 16K (arm64-16k-47)');
    expect(out).toContain('┤');
  });

  it('draws one chart for equal curves, and one for each other', async () => {
    // 100 GiB do not fit into the window of sv39.
    const large = '1\t0\t0\tA\tffffc90000006000\t1900001000\t1\t0\t0';
    const rows = [ROWS[0], large, '1\t0\t0\tA\tffffc91900007000\t5000\t1\t0\t0', ROWS[1]].join('\n');
    const path = file('large.tsv', `${HEAD}${rows}\n`);
    const names = 'x86-64,riscv64-sv39,x86-64-la57,riscv64-sv48';
    const { out } = await capture(['replay', path, '--format', names], { columns: 200, cwd: folder });
    const drawn = [...out.matchAll(/pages of 4K \((.*)\)/g)].map(([, all = '']) => all.split(', '));
    expect(drawn).toEqual([['x86-64', 'x86-64-la57', 'riscv64-sv48'], ['riscv64-sv39']]);
  });

  it('names missing snapshots, and does not count them as equal', async () => {
    const rows = [...ROWS, '1\t0\t0\tM\tmid', '1\t0\t0\tM\tend'].join('\n');
    const name = file('m.tsv', `${HEAD}${rows}\n`);
    const { code, out } = await capture(['replay', name], { cwd: folder });
    expect(code).toBe(0);
    expect(out).toContain('Snapshot "mid" is in the trace, but its file is missing.');
    expect(out).toContain('Everything is equal, but there was no snapshot to compare.');
    expect(out).not.toContain('Everything is equal.');
    const { out: json } = await capture(['replay', name, '--json'], { cwd: folder });
    expect(JSON.parse(json)).toMatchObject({
      missingSnapshots: ['mid', 'end'],
      snapshots: [],
      events: 4,
    });
  });

  it('says that an empty stream has nothing to compare', async () => {
    const { code, out } = await capture(['replay', file('empty.tsv', HEAD)], { cwd: folder });
    expect(code).toBe(0);
    expect(out).toContain('The stream has no event to compare.');
    expect(out).not.toContain('Everything is equal.');
  });

  it('refuses a per-cpu request without pairs of an offset and a size', async () => {
    for (const parts of ['', '\t0', '\t0\t1000\t2000']) {
      const path = file('q.tsv', `${HEAD}${ROWS[0]}\n1\t0\t0\tQ\t1\t1000${parts}\n`);
      const { code, err } = await capture(['replay', path], { cwd: folder });
      expect(code).toBe(2);
      expect(err).toMatch(/q\.tsv:6: .*pairs of an offset and a size/);
    }
  });

  it('frees an area on another format when the recording lost the free', async () => {
    const rows = Array.from({ length: 50 }, () => ROWS[0]).join('\n');
    const path = file('again.tsv', `${HEAD}${rows}\n`);
    const { out } = await capture(['replay', path, '--format', 'x86-64', '--json'], { cwd: folder });
    const { formats } = JSON.parse(out) as { formats: { peaks: { areas: number } }[] };
    expect(formats[0]?.peaks.areas).toBe(1);
  });

  it.each([false, true])('reads a single file (gzip: %s)', async (isPacked) => {
    const name = file(isPacked ? 'a.tsv.gz' : 'a.tsv', `${HEAD}${ROWS.join('\n')}\n`, isPacked);
    const { code, out } = await capture(['replay', name, '--json'], { cwd: folder });
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      set: 'a',
      placements: 2,
      equal: 2,
      lazyPages: { equal: 1, different: 0 },
      purges: { equal: 1, different: 0 },
      endState: null,
    });
  });

  it('ends with exit code 1 for a difference', async () => {
    const name = file('b.tsv', `${HEAD}${ROWS[0]?.replace('c90000000000\t', 'c90000009000\t')}\n`);
    const { code, out, err } = await capture(['replay', name], { cwd: folder });
    expect(code).toBe(1);
    expect(out).toContain('recorded 0xffffc90000009000, here 0xffffc90000000000');
    expect(out).toContain('free 0x0 to 0x');
    expect(err).toContain('the replay differs');
  });

  it.each([
    [[], 'TRACE is missing'],
    [['none'], 'none: there is no such file'],
    [['a.tsv', '--format', 'x86-65'], 'Did you mean x86-64?'],
    [['a.tsv', '--formt', 'all'], "unknown option '--formt'\nDid you mean --format?"],
    [['a.tsv', '--format', 'x86'], "unknown format 'x86'"],
    [['a.tsv', 'b.tsv'], "unexpected argument 'b.tsv'"],
    [[file('c.tsv', ROWS[0] as string)], 'c.tsv:1: expected a line #page'],
    [[file('d.tsv', `${HEAD}1\t0\t0\tZ\t1\n`)], 'd.tsv:5: expected an event'],
    [[file('e.tsv', `${HEAD}1\t0\t0\tF\txyz\t5\n`)], 'e.tsv:5: expected a hexadecimal number'],
    [[file('f.tsv', '#page 4096\n#cpus 1\n')], 'expected a line #w 0'],
    [[file('g.tsv', '#page 5000\n')], 'expected a page size'],
    ...[
      ['#nodes 0', 'a whole number from 1 to 128'],
      ['#cpus 200', 'a whole number from 1 to 128'],
      ['#w 1 9000 1000', 'a window that ends after its start'],
      ['#w x 1000 9000', 'a whole number from 0'],
      ['1\tx\t0\tW', 'a whole number from 0 to 127'],
      ['1\t0\t0\tD\t9\t0', 'a whole number from 0 to 0'],
      ['1\t0\t0\tN\t1', 'a whole number from 0 to 0'],
      ['1\t0\t0\tA\t1000\t0\t1\t0\t0', 'a size of whole pages'],
      ['1\t0\t0\tA\t1000\t1800\t1\t0\t0', 'a size of whole pages'],
      ['1\t0\t0\tA\t1000\t1000\tzz\t0\t0', 'an alignment: a power of two'],
      ['1\t0\t0\tA\t1000\t1000\t3000\t0\t0', 'an alignment: a power of two'],
      ['1\t0\t0\tA\t1000\t1000\t1\t5\t0', 'a whole number from 0 to 0'],
      ['1\t0\t0\tF\t1000\tmany\t5', 'a whole number'],
    ].map(([row, what], i): [string[], string] => [
      [file(`bad${i}.tsv`, `${HEAD}${row}\n`)],
      `bad${i}.tsv:5: expected ${what}`,
    ]),
  ])('%j is refused', async (args, message) => {
    const { code, out, err } = await capture(['replay', ...args], { cwd: folder });
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toContain(message);
  });
});
