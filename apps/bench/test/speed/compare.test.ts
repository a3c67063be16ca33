import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { compareResults, compareTimes, differences, readEarlier } from '../../src/speed/compare.js';
import { speedMarkdown, speedReport } from '../../src/speed/report.js';
import type { SpeedResult } from '../../src/speed/result.js';
import { standardError } from '../../src/speed/timing.js';
import { capture } from '../support/capture.js';
import { small, speedJson } from '../support/speed.js';

const folder = mkdtempSync(join(tmpdir(), 'vmarea-compare-'));
afterAll(() => rmSync(folder, { recursive: true }));

function saved(value: unknown, name = 'earlier.json'): string {
  const file = join(folder, name);
  writeFileSync(file, typeof value === 'string' ? value : JSON.stringify(value));
  return file;
}

const time = (median: number, standardError = 0) => ({ median, standardError });

describe('the verdict about a time', () => {
  it.each([
    // Without any spread, 3 % are the least that counts.
    [time(10), time(10.2), 'same', 0.02, 0.03],
    [time(10), time(9.8), 'same', -0.02, 0.03],
    [time(10), time(10.4), 'slower', 0.04, 0.03],
    [time(10), time(9.6), 'faster', -0.04, 0.03],
    // Errors of 1 % each are 1.414 % of the quotient: three of these, 4.24 %, and more when the quotient is larger.
    [time(10, 0.1), time(10.4, 0.104), 'same', 0.04, 0.0441],
    [time(10, 0.1), time(10.5, 0.105), 'slower', 0.05, 0.0445],
    [time(10, 0.1), time(9.6, 0.096), 'same', -0.04, 0.0424],
    [time(10, 0.1), time(9.5, 0.095), 'faster', -0.05, 0.0424],
    // Twice as slow is nothing when the spread is as large.
    [time(10, 3), time(20, 6), 'same', 1, 2.5456],
  ])('%j, then %j: %s', (before, after, verdict, change, noise) => {
    const found = compareTimes(before, after, null, 4);
    expect(found).toEqual({ before: before.median, after: after.median, verdict, change, noise });
  });

  it.each([
    [4, 'slower'],
    [3, 'unsure'],
    [1, 'unsure'],
  ])('needs to know how far processes differ: of %d passes, %s', (passes, verdict) => {
    expect(compareTimes(time(10), time(20), null, passes)).toMatchObject({ change: 1, verdict });
  });

  it('is about the ratio to C if both results have one', () => {
    const reference = { from: time(2), to: time(4) };
    expect(compareTimes(time(10), time(20), reference, 4)).toMatchObject({
      before: 5,
      after: 5,
      verdict: 'same',
    });
    expect(compareTimes(time(10), time(10), reference, 4)).toMatchObject({ after: 2.5, verdict: 'faster' });
    // The noise of C is noise of the ratio.
    const noisy = { from: time(2, 0.5), to: time(2, 0.5) };
    expect(compareTimes(time(10), time(15), noisy, 4).verdict).toBe('same');
  });
});

describe('the standard error', () => {
  it('is that of the rounds, or that of the passes if it is larger', () => {
    // MAD 1 of 6 rounds: 1.2533 × 1.4826 / √6.
    expect(standardError([[9, 10, 11, 9, 10, 11]])).toBeCloseTo((1.2533 * 1.4826 * 1) / Math.sqrt(6), 10);
    // Each process steady, but at 8, 10 and 12: the passes' medians have a MAD of 2, all rounds have one of 2 as well, but
    // there are only three passes.
    const passes = [8, 10, 12].map((ns) => [ns, ns, ns, ns]);
    expect(standardError(passes)).toBeCloseTo((1.2533 * 1.4826 * 2) / Math.sqrt(3), 10);
  });

  it('is 0 for one round, and ignores one slow round', () => {
    expect(standardError([[10]])).toBe(0);
    expect(standardError([[10, 10, 10, 10, 9000]])).toBe(0);
  });
});

describe('--compare', () => {
  // As many passes as a verdict needs.
  const args = [...small, '--passes', '4', '--workload', 'W1', '--format', 'x86-64'];

  it('finds a result the same as itself', async () => {
    const result = await speedJson(args);
    const comparison = compareResults('f', readEarlier(saved(result)), result);
    expect(comparison.unmatched).toBe(0);
    expect(comparison.rows.map(({ workload, variant, verdict }) => [workload, variant, verdict])).toEqual([
      ['W1.fresh', 'wasm', 'same'],
      ['W1.fresh', 'array', 'same'],
      ['W1.existing', 'wasm', 'same'],
      ['W1.existing', 'array', 'same'],
    ]);
    expect(comparison.rows.every(({ change, measure }) => change === 0 && measure === 'ns')).toBe(true);
  });

  it('reads a result of --json, and adds a comparison to every output', async () => {
    const file = saved(await speedJson(args));
    const { comparison, warnings } = await speedJson([...args, '--compare', file]);
    expect(comparison).toMatchObject({ file, unmatched: 0 });
    expect(comparison?.rows).toHaveLength(4);
    expect(warnings).toEqual([]);
    const text = await capture([...args, '--compare', file]);
    expect(text.out).toContain(`Compared with ${file}`);
    expect(text.out).toMatch(/^\d faster, \d slower, \d the same within the noise\.$/m);
    const markdown = await capture([...args, '--compare', file, '--markdown']);
    expect(markdown.out).toMatch(/^\| x86-64 \| W1\.fresh \| wasm \| ns \| .* \| (faster|slower|same) \|$/m);
  });

  it('shows verdicts', async () => {
    const result = await speedJson(args);
    const rows = result.rows.map((row) => ({
      ...row,
      wasm: row.wasm && { ...row.wasm, median: 10, standardError: 0 },
      array: row.array && { ...row.array, median: 10, standardError: 0 },
    }));
    const later = rows.map((row) => ({
      ...row,
      wasm: row.wasm && { ...row.wasm, median: row.workload === 'W1.fresh' ? 8 : 10.1 },
      array: row.array && { ...row.array, median: 12.5 },
    }));
    const earlier = readEarlier(saved({ ...result, rows }));
    const shown: SpeedResult = {
      ...result,
      rows: later,
      comparison: compareResults('old.json', earlier, { rows: later }),
    };
    const text = speedReport(shown, { stdout: { write: () => {} }, env: {} });
    expect(text).toMatch(/^x86-64 +W1\.fresh +wasm +ns +10\.0 +8\.00 +-20\.0 % +±3\.0 % +faster$/m);
    expect(text).toMatch(/^x86-64 +W1\.fresh +array +ns +10\.0 +12\.5 +\+25\.0 % +±3\.0 % +slower$/m);
    expect(text).toMatch(/^x86-64 +W1\.existing +wasm +ns +10\.0 +10\.1 +\+1\.0 % +±3\.0 % +same$/m);
    expect(text).toContain('1 faster, 2 slower, 1 the same within the noise.');
    expect(speedMarkdown(shown)).toContain(
      '| x86-64 | W1.fresh | wasm | ns | 10.0 | 8.00 | -20.0 % | ±3.0 % | faster |',
    );
  });

  it('leaves out rows that the earlier result lacks in this size', async () => {
    const file = saved(await speedJson(args));
    const other = [...small, '--passes', '4', '--format', 'x86-64', '--compare', file];
    expect((await speedJson([...other, '--workload', 'W1,W3'])).comparison?.unmatched).toBe(1);
    const larger = await capture([...other, '--workload', 'W1', '--pages', '128']);
    expect(larger.out).toContain('the earlier result lacks 2 rows of this size.');
    const oneVariant = await speedJson([...other, '--workload', 'W1', '--variant', 'array']);
    expect(oneVariant.comparison?.rows.map(({ variant }) => variant)).toEqual(['array', 'array']);
  });

  it('gives no verdict with fewer than four passes', async () => {
    const four = await speedJson(args);
    const three = await speedJson([...args, '--passes', '3']);
    for (const [before, after] of [
      [three, four],
      [four, three],
    ] as const) {
      const { rows } = compareResults('f', readEarlier(saved(before)), after);
      expect(new Set(rows.map(({ verdict }) => verdict))).toEqual(new Set(['unsure']));
    }
    const { out } = await capture([...args, '--passes', '3', '--compare', saved(four)]);
    expect(out).toContain(
      '0 faster, 0 slower, 0 the same within the noise, 4 unsure: a verdict needs 4 passes in both results.',
    );
  });

  it('counts verdicts and missing rows in Markdown too', async () => {
    const file = saved(await speedJson(args));
    const other = [...small, '--passes', '4', '--format', 'x86-64', '--compare', file, '--markdown'];
    const one = await capture([...other, '--workload', 'W1,W3']);
    expect(one.out).toMatch(
      /^\d faster, \d slower, \d the same within the noise; the earlier result lacks 1 row of this size\.$/m,
    );
    const none = await capture([...other, '--workload', 'W3']);
    expect(none.out).not.toContain('| format |');
    expect(none.out).toMatch(
      /^0 faster, 0 slower, 0 the same within the noise; the earlier result lacks 1 row /m,
    );
  });

  it('warns about another seed, other rounds and other workloads in a process', async () => {
    const before = await speedJson(args);
    const file = saved(before);
    const warningsOf = async (...more: string[]) =>
      (await speedJson([...args, '--compare', file, ...more])).warnings;
    expect(await warningsOf()).toEqual([]);
    expect(await warningsOf('--seed', '2')).toEqual([
      'the earlier result has another seed (1; now 2): compare with care',
    ]);
    expect(await warningsOf('--repeat', '4')).toEqual([
      'the earlier result has other rounds (4 passes of 3 rounds after 1 and 0 ms; ' +
        'now 4 passes of 4 rounds after 1 and 0 ms): compare with care',
    ]);
    expect(await warningsOf('--workload', 'W1.fresh,W3')).toEqual([
      'the earlier result measured other workloads in one process (W1.fresh, W1.existing; now W1.fresh): compare with care',
    ]);
    expect(await warningsOf('--workload', 'W3')).toEqual([]);
  });

  it('warns about another machine, Node or compiler', async () => {
    const now = await speedJson(args);
    expect(differences({ ...now, quick: false }, { ...now, quick: false })).toEqual([]);
    const before = {
      ...now,
      machine: { ...now.machine, cpu: 'another CPU', node: 'v1.2.3' },
      compiler: 'another cc',
    };
    const { warnings } = await speedJson([...args, '--compare', saved(before)]);
    expect(warnings).toEqual([
      expect.stringMatching(
        /^the earlier result is from another machine \(another CPU, .*; now .*\): compare/,
      ),
      expect.stringMatching(
        /^the earlier result is from another Node \(v1\.2\.3; now v.*\): compare with care$/,
      ),
      expect.stringMatching(/^the earlier result is from another C compiler \(another cc; now none\)/),
    ]);
  });

  it('warns about a quick result', async () => {
    const quick = await speedJson([...args, '--quick']);
    const { warnings } = await speedJson([...args, '--compare', saved(quick)]);
    expect(warnings).toEqual(['one of the results is from a quick run: its times mean little']);
  });

  it.each([
    ['a text', 'W1 is fast', 'it is not JSON'],
    ['nothing', null, 'it is not a result of speed --json with schema 4 (the whole file: Invalid'],
    ['another command', { command: 'layout', schema: 1 }, 'with schema 4 (command: Invalid'],
    ['another schema', { command: 'speed', schema: 1 }, 'with schema 4 (schema: Invalid'],
    [
      'a negative time',
      {
        ...{ command: 'speed', schema: 4, compiler: null, quick: false },
        ...{ seed: 1, repeat: 1, warmUp: 1, warmUpMs: 0, passes: 3 },
        machine: { cpu: 'x', cores: 1, node: 'v1', platform: 'x' },
        rows: [
          { configuration: 'x', workload: 'W1', units: 1, passes: 3, wasm: time(-1), array: null, c: null },
        ],
      },
      'with schema 4 (rows.0.wasm.median: Invalid',
    ],
  ])('refuses %s', async (name, value, message) => {
    const file = saved(value, `${name}.json`);
    const { code, out, err } = await capture([...args, '--compare', file]);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toContain(`vmarea-bench: --compare ${file}: `);
    expect(err).toContain(message);
  });

  it('refuses a file that cannot be read', async () => {
    const { code, err } = await capture([...args, '--compare', join(folder, 'none.json')]);
    expect(code).toBe(2);
    expect(err).toMatch(/^vmarea-bench: --compare .*none\.json: there is no such file$/m);
  });
});
