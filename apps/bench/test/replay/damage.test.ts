import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import type { ReplayResult } from '../../src/replay/result.js';
import { capture } from '../support/capture.js';
import { pathOf } from '../support/files.js';

const folder = mkdtempSync(join(tmpdir(), 'vmarea-damage-'));
afterAll(() => rmSync(folder, { recursive: true }));
let made = 0;

const HEAD = '#page 4096\n#cpus 1\n#nodes 1\n#w 0 ffffc90000000000 ffffe8ffffffffff\n';
const TAKEN = '3\t0\t0\tA\tffffc90000000000\t5000\t1\t0\t0\n';
const FREED = '1\t0\t0\tF\tffffc90000000000\t5\t8192\n';
const NEXT = '1\t0\t0\tA\tffffc90000005000\t2000\t1\t0\t0\n';

function run(text: string, ...options: string[]) {
  const name = `${made++}.tsv`;
  writeFileSync(join(folder, name), text);
  return capture(['replay', name, ...options], { cwd: folder });
}

/** A recording with another content of one file. */
function with16k(file: string, content: (text: string) => Uint8Array): string {
  const path = join(folder, `set-${made++}`);
  cpSync(pathOf('test/data/traces/arm64-16k-1of2cpu'), path, { recursive: true });
  const text = gunzipSync(readFileSync(join(path, file))).toString('latin1');
  writeFileSync(join(path, file), content(text));
  return path;
}

describe('a free of an address that no row gave', () => {
  const bogus = '1\t0\t0\tF\tffffc90000090000\t7\t8192\n';

  it('is damage of the recording, which ends with exit code 1, and determines the rest', async () => {
    const { code, out, err } = await run(`${HEAD}${TAKEN}${bogus}${NEXT}`);
    expect(code).toBe(1);
    expect(out).toContain('Damage, line 6: a free of an address that no row gave.');
    expect(out).not.toContain('Undetermined');
    expect(err).toContain('the recording is damaged in 1 place; --tolerant lets that pass');
    const { out: json } = await run(`${HEAD}${TAKEN}${bogus}${NEXT}`, '--json');
    expect(JSON.parse(json)).toMatchObject({
      ...{ placements: 2, determined: 2, equal: 2, different: 0, undetermined: {} },
      damage: { count: 1, first: [{ line: 6, what: 'a free of an address that no row gave' }] },
    });
  });

  it('ends with exit code 0 with --tolerant, if nothing else differs', async () => {
    const { code, err } = await run(`${HEAD}${TAKEN}${bogus}${NEXT}`, '--tolerant');
    expect([code, err]).toEqual([0, '']);
  });

  it.each([[[]], [['--tolerant']]])('hides no difference (%j)', async (options) => {
    const { code, out, err } = await run(
      `${HEAD}${TAKEN}${bogus}${NEXT.replace('5000', '9000')}`,
      ...options,
    );
    expect(code).toBe(1);
    expect(out).toContain('First difference, line 7: 2 pages');
    expect(err).toContain('the replay differs from the recording');
  });

  it('can be the second free of an area', async () => {
    const { code, out } = await run(`${HEAD}${TAKEN}${FREED}${FREED}`);
    expect(code).toBe(1);
    expect(out).toContain('Damage, line 7: a free of an address that no row gave.');
  });
});

describe('other rows that cannot be', () => {
  it.each([
    ['1\t0\t0\tR\tffffc90000090000\n', 'per-cpu chunks without their request'],
    ['1\t0\t0\tG\t0\n1\t0\t1\tG\t0\n', 'a purge begins while another one runs'],
  ])('%j is damage', async (row, what) => {
    const { code, out } = await run(`${HEAD}${TAKEN}${row}`);
    expect(code).toBe(1);
    expect(out).toContain(`: ${what}.`);
    expect((await run(`${HEAD}${TAKEN}${row}`, '--tolerant')).code).toBe(0);
  });
});

describe('a stream', () => {
  it('may have CR LF, and a byte order mark', async () => {
    const text = `\u00ef\u00bb\u00bf${HEAD}${TAKEN}${FREED}`.replaceAll('\n', '\r\n');
    const name = `${made++}.tsv`;
    writeFileSync(join(folder, name), Buffer.from(text, 'latin1'));
    const { code, out, err } = await capture(['replay', name], { cwd: folder });
    expect([code, err]).toEqual([0, '']);
    expect(out).toContain('Everything is equal.');
  });

  it('that ends in a number has a row that may be cut off: it is passed over, and is damage', async () => {
    const text = `${HEAD}${TAKEN}1\t0\t0\tF\tffffc90000000000\t5\t81`;
    const { code, out } = await run(text);
    expect(code).toBe(1);
    expect(out).toContain('Damage, line 6: the last line is cut off, and passed over.');
    expect((await run(text, '--tolerant')).code).toBe(0);
  });

  it('may end in a row whose last field is a flag', async () => {
    expect((await run(`${HEAD}${TAKEN.trimEnd()}`)).code).toBe(0);
  });

  it.each([
    [
      '#page 4096\n#cpus 4\n#nodes 1\n#w 0 1000 9000\n',
      ':3: expected at least as many nodes as processors online: 1 nodes, 4 processors',
    ],
    ['#page 4096\n#nodes 1\n#cpus 4\n#w 0 1000 9000\n', ':3: expected at least as many nodes'],
    [`#page 4096\n${TAKEN}`, ':2: expected a line #w 0 with the window of vmalloc first'],
    [
      `${HEAD}#w 2 1000 9000\n${TAKEN.replace('\t0\t0\n', '\t1\t0\n')}`,
      ':6: expected a line #w 1 with the window of this request first',
    ],
    [`${HEAD}#page 16384\n`, ':5: expected one page size'],
    [`${HEAD}${TAKEN.replace('\t0\n', '\t7\n')}`, ':5: expected a flag: 0 or 1'],
    [`${HEAD}1\t0\t0\tQ\t2\t1000\t0\t2000\t1000\t2000\n`, ':5: expected ranges that do not overlap'],
    [`${HEAD}1\t0\t0\tQ\t1\t1000\t800\t2000\n`, ':5: expected an offset of whole pages'],
  ])('%j is refused by line', async (text, message) => {
    const { code, out, err } = await run(text);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(message);
  });
});

describe('a gzip stream that is cut off', () => {
  const whole = readFileSync(pathOf('test/data/traces/x86-1cpu/trace.tsv.gz'));
  /** A recording with a part of its stream. */
  const cutTo = (bytes: number): string => {
    const path = join(folder, `set-${made++}`);
    cpSync(pathOf('test/data/traces/x86-1cpu'), path, { recursive: true });
    writeFileSync(join(path, 'trace.tsv.gz'), whole.subarray(0, bytes));
    return path;
  };

  it.each([0.25, 0.9])('is replayed up to there, and that is damage (%d of it)', async (part) => {
    const path = cutTo(Math.floor(part * whole.length));
    const { code, out, err } = await capture(['replay', path, '--json']);
    expect(code).toBe(1);
    expect(err).toContain('the recording is damaged in 1 place; --tolerant lets that pass');
    const result = JSON.parse(out) as ReplayResult;
    // What came has its whole value: everything is determined and equal.
    expect(result.placements).toBeGreaterThan(part * 50_000);
    expect(result).toMatchObject({ different: 0, equal: result.placements, determined: result.placements });
    const [{ line, what } = { line: 0, what: '' }] = result.damage.first;
    expect(result.damage.count).toBe(1);
    expect(what).toBe(
      `the gzip file is cut off after ${result.events.toLocaleString('en-US')} events, in line ${line?.toLocaleString('en-US')}`,
    );
    // The state at the end is not that of the last row that came.
    expect(result.endState).toBeNull();
    expect((await capture(['replay', path, '--tolerant'])).code).toBe(0);
  });

  it('has everything when only the checksum is cut off, and is damage, too', async () => {
    const { code, out } = await capture(['replay', cutTo(whole.length - 4)]);
    expect(code).toBe(1);
    expect(out).toMatch(/placements +106,431 +106,431 +0/);
    expect(out.replaceAll(/\s+/g, ' ')).toContain(
      ': the gzip file is cut off after 217,241 events, in line ',
    );
  });

  it('is refused when no row came', async () => {
    const { code, out, err } = await capture(['replay', cutTo(30)]);
    expect([code, out]).toEqual([2, '']);
    expect(err.replaceAll(/\s+/g, ' ')).toMatch(/the gzip file is cut off after \d+ bytes? of text/);
  });

  it('may be ftrace text', async () => {
    const event = (i: number): string =>
      `bash-1 [000] ..... 1.0: alloc_vmap_area: va_start: ${0xffffc90000000000n + BigInt(i * 8192)} size=8192 align=1 vstart=0xffffc90000000000 vend=0xffffe8ffffffffff failed=0`;
    const text = Array.from({ length: 900 }, (_, i) => event(i)).join('\n');
    const packed = gzipSync(`${text}\n`);
    const name = `${made++}.gz`;
    writeFileSync(join(folder, name), packed.subarray(0, packed.length - 200));
    const { code, out } = await capture(['replay', name], { cwd: folder });
    expect(code).toBe(1);
    expect(out).toMatch(/Damage, line \d+: the gzip file is cut off after \d+ events, in line \d+\./);
  });

  it('is refused when its data is damaged in the middle', async () => {
    const name = `${made++}.tsv.gz`;
    const bytes = Buffer.from(whole);
    bytes.fill(0xff, 20_000, 20_100);
    writeFileSync(join(folder, name), bytes);
    const { code, err } = await capture(['replay', name], { cwd: folder });
    expect(code).toBe(2);
    expect(err).toMatch(/cannot read .*: (invalid|incorrect)/);
  });
});

describe('a file beside the stream', () => {
  it.each([
    [
      'tree-mid.txt.gz',
      'is no gzip file',
      () => Buffer.from('no gzip'),
      /cannot read tree-mid\.txt\.gz: incorrect header check/,
    ],
    [
      'tree-mid.txt.gz',
      'is cut off',
      (text: string) => gzipSync(text).subarray(0, 100),
      /cannot read tree-mid\.txt\.gz: unexpected end of file/,
    ],
    [
      'tree-mid.txt.gz',
      'has another line',
      (text: string) => gzipSync(text.replace(/^f .*$/m, 'f x')),
      /the snapshot 'mid' is damaged, line \d+: f x/,
    ],
    [
      'tree-mid.txt.gz',
      'is empty',
      () => gzipSync(''),
      /the snapshot 'mid' is damaged: it has no free range/,
    ],
  ] as const)('%s %s: it is damage, and the rest is compared', async (file, _, content, message) => {
    const path = with16k(file, content);
    const { code, out } = await capture(['replay', path]);
    expect(code).toBe(1);
    expect(out.replaceAll(/\s+/g, ' ')).toMatch(message);
    expect(out).toContain("snapshot 'before-work': nodes of the free tree");
    expect(out).not.toContain("snapshot 'mid': ");
    expect((await capture(['replay', path, '--tolerant'])).code).toBe(0);
  });

  it.each([
    [
      'is no gzip file',
      () => Buffer.from('no gzip'),
      'cannot read vmallocinfo-start.txt.gz: incorrect header check',
    ],
    [
      'has areas that overlap',
      (text: string) => gzipSync(`${text}${text.split('\n').find((line) => line.includes('paging_init'))}\n`),
      'overlaps the one before it; take the start state again',
    ],
  ])('is needed at the start, and refused when it %s', async (_, content, message) => {
    const { code, out, err } = await capture(['replay', with16k('vmallocinfo-start.txt.gz', content)]);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(message);
  });

  it('is damage when it is the state at the end', async () => {
    const path = with16k('tree-mid.txt.gz', gzipSync);
    writeFileSync(join(path, 'vmallocinfo-end.txt.gz'), gzipSync('no line\n'));
    const { code, out } = await capture(['replay', path]);
    expect(code).toBe(1);
    expect(out).toMatch(/Damage: .*vmallocinfo-end\.txt\.gz:1/);
    expect((await capture(['replay', path, '--tolerant'])).code).toBe(0);
  });
});
