import { wide } from '@vmarea/testkit';
import { describe, expect, it } from 'vitest';
import { installedFormats } from '../../src/formats.js';
import { entriesOf } from '../../src/speed/schedule.js';
import { chooseWorkloads, WORKLOADS } from '../../src/speed/workloads/registry.js';
import { capture } from '../support/capture.js';
import { configurationOf, measured, small, speedJson } from '../support/speed.js';

const { configurations } = await installedFormats('/');
const ids = WORKLOADS.map(({ id }) => id);
const PLAN = { pages: 64, seed: 1, repeat: 1, warmUp: 1, warmUpMs: 0, passes: 1 };
/** Those that no format has a part in stand with the first format alone. */
const later = WORKLOADS.filter(({ isSameEverywhere }) => isSameEverywhere !== true).map(({ id }) => id);

describe('speed', () => {
  it('has a row, or a reason why not, for each workload in every format', () => {
    const { entries, skipped } = entriesOf(configurations, WORKLOADS, PLAN);
    // 12 of arm64, 6 of riscv64, 2 of x86-64.
    expect(configurations).toHaveLength(20);
    for (const [i, { name }] of configurations.entries()) {
      const own = entries.filter(({ configuration }) => configuration.name === name);
      const not = skipped
        .filter(({ configuration }) => configuration === name)
        .map(({ workload }) => workload);
      const all = [...own.map(({ workload }) => workload.id), ...not];
      expect(ids.filter((id) => all.includes(id))).toEqual(i === 0 ? ids : later);
      if (name.startsWith('x86')) expect(not).toEqual([]);
    }
  });

  it('--json prints the documented shape, with a row for each workload and format', async () => {
    const formats = ['x86-64', 'riscv64-sv39', 'arm64-64k-48'];
    const result = await speedJson([...small, '--format', formats.join(), '--repeat', '1', '--passes', '1']);
    expect(result).toMatchObject({ pages: 64, seed: 1, quick: false, compiler: null, comparison: null });
    expect(result.warnings).toEqual([]);
    const names = [...new Set(result.rows.map(({ configuration }) => configuration))];
    expect(names).toEqual(formats);
    for (const name of names) {
      const skipped = result.skipped.filter(({ configuration }) => configuration === name);
      const own = result.rows.filter(({ configuration }) => configuration === name);
      const all = [...own, ...skipped].map(({ workload }) => workload);
      expect(ids.filter((id) => all.includes(id))).toEqual(name === names[0] ? ids : later);
      if (name.startsWith('x86')) expect(skipped).toEqual([]);
    }
    for (const { wasm, array, c, rounds, passes, units, work, pageBytes } of result.rows) {
      expect(c).toBeNull();
      expect([wasm?.loops, array?.loops]).toEqual(['wasm', 'array']);
      for (const timing of [wasm, array]) {
        expect(timing?.samples).toBe(rounds * passes);
        expect(timing?.min).toBeLessThanOrEqual(timing?.median ?? -1);
        expect(timing?.median).toBeLessThanOrEqual(timing?.max ?? -1);
      }
      expect(work?.bytesWritten).toBe(
        8 * (work?.entriesWritten ?? 0) + pageBytes * (work?.tablesZeroed ?? 0),
      );
      expect(units).toBeGreaterThan(0);
    }
  });

  it('counts rounds and passes as asked', async () => {
    const args = ['--workload', 'W3', '--format', 'x86-64', '--repeat', '5', '--passes', '3', '--seed', '9'];
    const { repeat, passes, seed, rows } = await speedJson([...small, ...args]);
    expect({ repeat, passes, seed }).toEqual({ repeat: 5, passes: 3, seed: 9 });
    expect(rows).toMatchObject([{ rounds: 5, passes: 3, wasm: { samples: 15 }, array: { samples: 15 } }]);
    const other = await measured(configurationOf('x86-64'), 'W3', { seed: 9 });
    expect(rows[0]?.checksum).toBe(other.checksum);
  });

  it('prints the machine, a table for each format, and a legend', async () => {
    const { code, out } = await capture([...small, '--workload', 'W1', '--format', 'x86-64,x86-64-la57'], {
      columns: 180,
      tty: true,
      env: { NO_COLOR: '1' },
    });
    expect(code).toBe(0);
    expect(out).toMatch(/^Machine: .*Node v/m);
    expect(out).toMatch(/^C compiler: not used$/m);
    expect(out).toMatch(/^Seed 1\. 2 new processes for each column, in alternating order/m);
    expect(out).toMatch(/^x86-64-la57 \(.+\)$/m);
    expect(
      out.match(/^workload +wasm ns +array ns +C ns +wasm\/C +array\/C +wasm min .* C MAD +units .*$/gm),
    ).toHaveLength(2);
    // 64 pages and 3 tables with 4 levels, 4 tables with 5; both times, no C; least and MAD of both.
    const times = '( +[\\d,.]+){2}( +n/a){3}( +[\\d,.]+){4}( +n/a){2}';
    expect(out).toMatch(new RegExp(`^W1\\.fresh${times} +64 +67 +12,824$`, 'm'));
    expect(out).toMatch(new RegExp(`^W1\\.fresh${times} +64 +68 +16,928$`, 'm'));
    expect(out).toMatch(/^wasm, array {2}the engine with WebAssembly loops, and with array loops/m);
    expect(out).toMatch(/^W1\.existing {2}map scattered base pages/m);
    expect(out.split('\n').filter((line) => line.length > 180)).toEqual([]);
  });

  it('splits the table on a narrow terminal', async () => {
    const args = [...small, '--workload', 'W1', '--format', 'x86-64'];
    const { out } = await capture(args, { columns: 90, tty: true, env: { NO_COLOR: '1' } });
    expect(out.match(/^workload.*$/gm)).toEqual([
      expect.stringMatching(/^workload +wasm ns +array ns +C ns +wasm\/C +array\/C$/),
      expect.stringMatching(/^workload +wasm min +wasm MAD +array min +array MAD +C min +C MAD$/),
      expect.stringMatching(/^workload +units +entries written +bytes written$/),
    ]);
    expect(out.split('\n').filter((line) => line.length > 90)).toEqual([]);
  });

  it('--markdown is a Markdown table with all rows', async () => {
    const one = [...small, '--repeat', '1', '--passes', '1'];
    const { code, out } = await capture([...one, '--format', 'x86-64,x86-64-la57', '--markdown']);
    expect(code).toBe(0);
    const lines = out.split('\n').filter((line) => line.startsWith('|'));
    const heads = lines.filter((line) =>
      line.startsWith('| workload | wasm ns | array ns | C ns | wasm/C | array/C | wasm min | wasm MAD |'),
    );
    expect(heads).toHaveLength(2);
    expect(lines.filter((line) => /^\|( -+:? \|){10,}$|^\|( :?-+:? \|)+$/.test(line))).toHaveLength(2);
    const cells = (line: string) => line.split(' | ').length;
    expect(new Set(lines.map(cells))).toEqual(new Set([cells(heads[0] ?? '')]));
    const rows = lines.map((line) => line.split(' ')[1]).filter((first) => first?.startsWith('W'));
    expect(rows).toEqual([...ids, ...later]);
    for (const id of ids) expect(out).toMatch(new RegExp(`^- \`${id.replace('.', '\\.')}\`: `, 'm'));
    expect(out).not.toMatch(/ +$/m);
  });

  it('marks quick runs and runs with few pages', async () => {
    const args = ['--workload', 'W1.fresh', '--format', 'x86-64', '--variant', 'array'];
    const few = 'With so few pages, times';
    const quick = 'A quick run: few pages, whose tables fit into the caches';
    const marks = async (...more: string[]) => {
      const { out } = await capture(['speed', ...args, ...more], { env: { COLUMNS: '200' } });
      return [out.includes(quick), out.includes(few)];
    };
    expect(await marks('--quick')).toEqual([true, false]);
    expect(await marks('--quick', '--pages', '64')).toEqual([true, true]);
    expect(await marks('--pages', '64', '--passes', '1', '--repeat', '1')).toEqual([false, true]);
    expect((await capture([...small, '--quick', ...args, '--markdown'])).out).toContain(`- ${quick}`);
  });

  it('--quick shows times, and which results are the same', async () => {
    const args = ['speed', '--quick', '--pages', '64', '--workload', 'W3', '--format', 'x86-64,arm64-16k-47'];
    const { code, out } = await capture([...args, '--variant', 'wasm,array'], { env: { COLUMNS: '200' } });
    expect(code).toBe(0);
    expect(out.match(/^workload +wasm ns +array ns +C ns/gm)).toHaveLength(2);
    expect(out.match(/^W3 .* 64 +64 +512 +wasm = array$/gm)).toHaveLength(2);
    expect(out).toContain('leave out --quick to measure them well.');
    const { rows, ...result } = await speedJson([...args, '--variant', 'wasm,array']);
    expect(result).toMatchObject({ quick: true, passes: 1, repeat: 5, warmUpMs: 100 });
    for (const { wasm } of rows) expect(wasm?.median).toBeGreaterThan(0);
    const markdown = await capture([...args, '--variant', 'wasm', '--markdown']);
    expect(markdown.out).toMatch(/^\| W3 \| [\d.,]+ \|.* 64 \| 64 \| 512 \| wasm \|$/m);
  });

  it('--variant chooses columns, in their usual order', async () => {
    const args = ['speed', '--workload', 'W3', '--format', 'x86-64', ...small.slice(1, -1)];
    expect((await speedJson([...args, 'array'])).rows).toMatchObject([{ wasm: null, c: null }]);
    const { rows } = await speedJson([...args, 'array, wasm']);
    expect(Object.keys(rows[0] ?? {}).filter((key) => ['wasm', 'array'].includes(key))).toEqual([
      'wasm',
      'array',
    ]);
    expect((await capture([...args, 'array'])).out).toMatch(/^W3 +n\/a +[\d,.]+( +n\/a){3}$/m);
  });
});

describe('--workload', () => {
  it.each([
    ['W1', ['W1.fresh', 'W1.existing']],
    ['W4', ids.filter((id) => id.startsWith('W4.'))],
    ['w2.2m', ['W2.2M']],
    ['W3, W1.fresh', ['W1.fresh', 'W3']],
    ['W6,W6', ['W6']],
    [undefined, ids],
  ])('%s', (names, chosen) => {
    expect(chooseWorkloads(names).map(({ id }) => id)).toEqual(chosen);
  });
});

describe('a workload that a format does not support', () => {
  const skippedOf = (configuration: typeof wide, id: string, pages = 64) =>
    entriesOf([configuration], chooseWorkloads(id), { ...PLAN, pages }).skipped.map(({ reason }) => reason);

  it('is left out with a reason', () => {
    expect(skippedOf(wide, 'W2')).toEqual(['it has no leaves at that level']);
    const { start } = wide.linux.window;
    const narrow = { ...wide, linux: { ...wide.linux, window: { start, end: start + 655_360n } } };
    expect(skippedOf(narrow, 'W1.fresh', 11)).toEqual(['its vmalloc window has room for 10 pages']);
    expect(skippedOf(narrow, 'W1.fresh', 10)).toEqual([]);
    const poor = { ...wide, format: { ...wide.format, paBits: 35 } };
    expect(skippedOf(poor, 'W1.fresh', 2 ** 18)).toEqual([
      'its 35 bits of physical addresses have too few frames',
    ]);
  });

  it('has fewer blocks in a small window', async () => {
    // 2 MiB blocks in what x86-64 calls its window, cut to 11 of them: the largest power of two.
    const x86 = configurationOf('x86-64');
    const { start } = x86.linux.window;
    const cut = { ...x86, linux: { ...x86.linux, window: { start, end: start + 11n * 2n ** 21n } } };
    expect((await measured(cut, 'W2.2M')).units).toBe(8);
  });
});

describe('speed refuses', () => {
  it.each([
    [['--pages', '63'], "--pages must be a whole number from 64 to 1048576, not '63'"],
    [['--repeat', '0'], '--repeat must be a whole number from 1 to 1000'],
    [['--passes', '101'], '--passes must be a whole number from 1 to 100'],
    [['--seed', '-1'], '--seed must be a whole number from 0 to 4294967295'],
    [['--workload', 'W1.frsh'], "unknown workload 'W1.frsh'\nDid you mean W1.fresh?"],
    [['--workload', 'translation'], "unknown workload 'translation'\nKnown: W1.fresh, W1.existing,"],
    [['--workload', 'W1,'], '--workload has an empty name'],
    [['--variant', 'arry'], "unknown variant 'arry'\nDid you mean array?"],
    [['--variant', ''], '--variant needs a value: --variant wasm|array|c[,…]'],
    [['--format', 'x86'], "unknown format 'x86'"],
    [['--json', '--markdown'], '--json and --markdown exclude each other'],
    [['--quick=yes'], '--quick takes no value'],
    [['--quick', '--compare', 'a.json'], 'the times of --quick are too rough to compare'],
    [['--warm-up', '60001'], '--warm-up must be a whole number from 0 to 60000'],
    [['--variant', 'kernel'], "unknown variant 'kernel'\nKnown: wasm, array, c"],
    [['--compare'], '--compare needs a value: --compare FILE'],
    [
      ['result.json'],
      "unexpected argument 'result.json'; options start with --; name a file with --compare FILE",
    ],
    [['--vmallocinfo', 'x'], "unknown option '--vmallocinfo'"],
  ])('%j', async (args, message) => {
    const { code, out, err } = await capture(['speed', ...args]);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toContain(message);
  });
});
