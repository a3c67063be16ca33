import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { runOver } from '@vmarea/compare';
import type { Configuration } from '@vmarea/core';
import { afterAll, describe, expect, it } from 'vitest';
import { installedFormats } from '../../src/formats.js';
import { replay } from '../../src/replay/command.js';
import { readTrace } from '../../src/replay/read-trace.js';
import type { Trace } from '../../src/replay/trace.js';
import { capture } from '../support/capture.js';
import { pathOf } from '../support/files.js';

const folder = mkdtempSync(join(tmpdir(), 'vmarea-ftrace-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A stream as the kernel prints it, line by line. */
function textOf({ rows, windows, pageShift }: Trace, last: number): string[] {
  const bytes = (page: number): bigint =>
    BigInt.asUintN(64, BigInt(Math.floor(page)) << BigInt(pageShift)) + (page % 1 === 0 ? 0n : 0xfffn);
  return rows.slice(0, last).flatMap(({ cpu, thread, event }, i) => {
    const head = `           bash-${thread}   [00${cpu}] d..1.  ${(12 + i / 1e6).toFixed(6)}: `;
    switch (event.type) {
      case 'allocation': {
        const { vstart, vend } = windows[event.window] as { vstart: number; vend: number };
        const place = event.start === null ? bytes(vend) : bytes(event.start);
        return (
          `${head}alloc_vmap_area: va_start: ${place} size=${bytes(event.size)} align=${bytes(event.align)} ` +
          `vstart=0x${bytes(vstart).toString(16)} vend=0x${bytes(vend).toString(16)} failed=${event.start === null ? 1 : 0}`
        );
      }
      case 'free':
        return `${head}free_vmap_area_noflush: va_start=0x${bytes(event.start).toString(16)} nr_lazy=${event.lazyPages} nr_lazy_max=8192`;
      case 'purge done':
        return `${head}purge_vmap_area_lazy: start=0xffff end=0x0 num_purged=${event.areas}`;
      default:
        return [];
    }
  });
}

const { configurations } = await installedFormats('/');
const x86 = configurations.find(({ name }) => name === 'x86-64') as Configuration;
const set = readTrace(pathOf('test/data/traces/x86-1cpu'));
const HEAD = ['# tracer: nop', '#', '# entries-in-buffer/entries-written: 5/5   #P:1', ''];

function traceOf(lines: readonly string[], isPacked = false): Trace {
  const path = join(folder, 'trace');
  const text = `${[...HEAD, ...lines].join('\n')}\n`;
  writeFileSync(path, isPacked ? gzipSync(text) : text);
  return readTrace(path);
}

describe('ftrace text', () => {
  // Up to the first per-cpu chunk, of which Linux has no event.
  const last = set.rows.findIndex(({ event }) => event.type === 'percpu entered');
  const lines = textOf(set, last);

  it.each([false, true])('is replayed from the first allocation on (gzip: %s)', (isPacked) => {
    const result = replay(traceOf(lines, isPacked));
    expect(result.placements).toBeGreaterThan(10);
    expect(result).toMatchObject({ different: 0, equal: result.placements, cpus: 1, pageBytes: 4096 });
  });

  it('may have lines of other tracers', () => {
    const mixed = lines.flatMap((line) => [
      line,
      ' <idle>-0 [000] d..2. 12.1: sched_switch: prev_comm=swapper/0',
    ]);
    const result = replay(traceOf(mixed));
    expect(result).toMatchObject({ different: 0, otherLines: lines.length, lostEvents: 0 });
  });

  it('never fails, since it lacks per-cpu chunks', () => {
    const moved = lines.map((line) =>
      line.replace(/va_start: (\d+) size=0x2000 /, 'va_start: 4096 size=0x2000 '),
    );
    const result = replay(traceOf(moved));
    expect(result.different).toBeGreaterThanOrEqual(0);
    expect(result.determined).toBe(0);
    expect(Object.keys(result.undetermined)[0]).toMatch(/^since ftrace has no event for per-cpu chunks/);
  });

  it('may lack lost events without their number', () => {
    expect(traceOf([...lines, 'CPU:0 [LOST EVENTS]']).lostEvents).toBe(1);
  });

  it('determines nothing after lost events or a start in the middle, which is no failure', async () => {
    const lost = replay(traceOf([...lines, 'CPU:0 [LOST 137 EVENTS]']));
    expect(lost).toMatchObject({ determined: 0, lostEvents: 137 });
    const middle = textOf(set, 30_000).slice(20_000);
    writeFileSync(join(folder, 'middle'), middle.join('\n'));
    const { code, out, err } = await capture(['replay', 'middle', '--format', 'x86-64'], { cwd: folder });
    expect(err).toBe('');
    expect(code).toBe(0);
    expect(out.replaceAll(/\s+/g, ' ')).toMatch(
      /Undetermined: [\d,]+ placements, since ftrace has no event for per-cpu chunks, nor for areas before/,
    );
    expect(out).toMatch(/^x86-64 +\d/m);
  });

  it('tells the page size by its sizes', () => {
    const arm = readTrace(pathOf('test/data/traces/arm64-4k-1cpu'));
    const larger = { ...arm, pageShift: 14 };
    expect(traceOf(textOf(larger, 200)).pageShift).toBe(14);
    // One address or alignment says that pages are smaller, where no size does.
    const one = (text: string): number =>
      traceOf([`x-1 [000] d..1. 12.1: alloc_vmap_area: ${text} vstart=0x4000 vend=0x9000000 failed=0`])
        .pageShift;
    expect(one('va_start: 32768 size=0x8000 align=0x4000')).toBe(14);
    expect(one('va_start: 36864 size=0x8000 align=0x1')).toBe(12);
    expect(one('va_start: 32768 size=0x8000 align=0x1000')).toBe(12);
  });

  it('has pages of 16K when sizes and addresses say so, though drivers ask for smaller alignments', () => {
    const arm = readTrace(pathOf('test/data/traces/arm64-16k-1of2cpu'));
    // One request is aligned to 8 bytes, as that of a probe's instruction slot is in this kernel.
    const text = textOf(arm, 200);
    for (const align of [8, 512, 4096, 8192])
      expect(
        traceOf(text.map((line, i) => (i === 3 ? line.replace(/align=\d+/, `align=${align}`) : line)))
          .pageShift,
      ).toBe(14);
    expect(replay(traceOf(text))).toMatchObject({ pageBytes: 16_384, different: 0 });
  });

  it('may have CR LF, and a byte order mark', () => {
    const path = join(folder, 'crlf');
    writeFileSync(path, `\ufeff${[...HEAD, ...lines].join('\r\n')}\r\n`);
    const result = replay(readTrace(path));
    expect(result).toMatchObject({
      different: 0,
      otherLines: 0,
      damagedLines: 0,
      events: replay(traceOf(lines)).events,
    });
  });

  it('has no event in what a tracing mark quotes', () => {
    const [event = ''] = lines;
    const marks = [
      'x-1 [000] ..... 12.1: tracing_mark_write: alloc_vmap_area: as I said',
      `x-1 [000] ..... 12.1: tracing_mark_write: ${event}`,
      `x-1 [000] ..... 12.1: tracing_mark_write: CPU:0 [LOST 137 EVENTS]`,
    ];
    const trace = traceOf([...lines, ...marks]);
    expect(trace).toMatchObject({
      otherLines: 3,
      damagedLines: 0,
      lostEvents: 0,
      rows: { length: traceOf(lines).rows.length },
    });
  });

  it('tells in its header of events that were overwritten, and of processors', () => {
    const path = join(folder, 'header');
    const text = [`# entries-in-buffer/entries-written: 140080/201342   #P:4`, ...lines, ''].join('\n');
    writeFileSync(path, text);
    const trace = readTrace(path);
    expect(trace).toMatchObject({ lostEvents: 61_262, cpus: 4, nodes: 4 });
    expect(Object.keys(replay(trace).undetermined)).toEqual(['since the recorder lost 61,262 events']);
  });

  it.each([
    ['perf script', 'bash 1234/1234 [000]   12.345678: vmalloc:'],
    ['perf script with threads alone', '        swapper     0 [000]   12.345678: vmalloc:'],
    ['perf script with counts', 'kworker/0:1-eve    17 [000] 12.345678:          1 vmalloc:'],
    ['trace-cmd report', '    my task-0-1234  [000]  12.345678: '],
    ['ftrace with thread groups', '  bash-1234    (   1234) [000] d..1. 12.345678: '],
  ])('can be that of %s', (_, head) => {
    const text = lines.map((line) => line.replace(/^.*?\d: (?=\w+_vmap_area)/, head));
    expect(text.every((line) => line.startsWith(head))).toBe(true);
    const trace = traceOf(text);
    expect(trace).toMatchObject({
      otherLines: 0,
      damagedLines: 0,
      rows: { length: traceOf(lines).rows.length },
    });
    expect(replay(trace)).toMatchObject({ different: 0, equal: replay(traceOf(lines)).equal });
  });

  it("has perf's lost records", () => {
    expect(
      traceOf([...lines, '  swapper     0 [000]     0.000000: PERF_RECORD_LOST lost 12']).lostEvents,
    ).toBe(12);
  });

  it.each([
    [
      'free_vmap_area_noflush: va_start=0xffffc90000000000 nr_lazy=5 nr_lazy_max=81',
      1,
      { lazyMaxPages: null, lazyPages: 5 },
    ],
    ['free_vmap_area_noflush: va_start=0xffffc90000000000 nr_lazy=5', 0, {}],
    ['free_vmap_area_noflush: va_start=0xffffc900', 0, {}],
    ['purge_vmap_area_lazy: start=0xffff end=0x0 num_purged=1', 1, { areas: null }],
  ])('that ends in a number has one that may be cut off: %s', (event, rows, fields) => {
    const path = join(folder, 'cut');
    writeFileSync(path, `${lines[0]}\nx-1 [0] ..... 12.1: ${event}`);
    const trace = readTrace(path);
    expect(trace.damagedLines).toBe(1);
    expect(trace.rows).toHaveLength(1 + rows);
    expect(trace.rows.at(-1)?.event).toMatchObject(fields);
    writeFileSync(path, `${lines[0]}\nx-1 [0] ..... 12.1: ${event}\n`);
    expect(readTrace(path).damagedLines).toBe(rows === 1 ? 0 : 1);
  });

  it('is whole when it ends in a flag', () => {
    const path = join(folder, 'flag');
    writeFileSync(path, lines[0] as string);
    expect(readTrace(path)).toMatchObject({ damagedLines: 0, rows: { length: 1 } });
  });

  const WINDOW = 'vstart=0xffffc90000000000 vend=0xffffe8ffffffffff';
  const taken = (page: number, cpu = 0): string =>
    `x-1 [${cpu}] ..... 12.1: alloc_vmap_area: va_start: ${0xffffc90000000000n + 4096n * BigInt(page)} size=20480 align=1 ${WINDOW} failed=0`;

  it('may come from more than 128 processors, which have 128 nodes', () => {
    const trace = traceOf([taken(0), taken(5, 200)]);
    expect(trace).toMatchObject({ cpus: 201, nodes: 128, damagedLines: 0 });
    expect(replay(trace)).toMatchObject({ placements: 2, equal: 2 });
    expect(runOver(trace, x86)).toMatchObject({ failing: 0, peaks: { areas: 2 } });
    // Linux has no such processor.
    expect(traceOf([taken(0), taken(5, 8192)])).toMatchObject({ cpus: 1, damagedLines: 1 });
  });

  it.each([
    ['alloc_vmap_area: va_start: 18446683600570023936'],
    [taken(7).replace('align=1 ', 'align=12288 ')],
    [taken(7).replace('align=1 ', 'align=0 ')],
    [taken(7).replace('size=20480', 'size=0')],
    [taken(7).replace('size=20480', 'size=20000')],
    [taken(7).replace('size=20480', 'size=99999999999999999999')],
    [taken(7).replace(/va_start: \d+/, 'va_start: 4097')],
    [taken(7).replace(' vend=0xffffe8ffffffffff', ' vend=0xffff')],
    [taken(7).replace(' failed=0', '')],
    ['free_vmap_area_noflush: va_start=0xffffc90000000000 nr_lazy=5'],
    ['free_vmap_area_noflush: va_start=0xffffc90000000001 nr_lazy=5 nr_lazy_max=8192'],
    ['purge_vmap_area_lazy: start=0xffff end=0x0'],
  ])('a line that is cut off or makes no sense is counted, and no event: %s', async (line) => {
    const damaged = line.startsWith('x-1') ? line : `x-1 [0] ..... 12.1: ${line}`;
    const lines = [taken(0), damaged, taken(5)];
    const trace = traceOf(lines);
    expect(trace).toMatchObject({ damagedLines: 1, otherLines: 0 });
    expect(replay(trace)).toMatchObject({ events: 2, equal: 2, damagedLines: 1 });
    writeFileSync(join(folder, 'damaged'), lines.join('\n'));
    const { code, out } = await capture(['replay', 'damaged', '--format', 'x86-64'], { cwd: folder });
    expect(code).toBe(0);
    expect(out).toContain('0 events lost, 0 lines of other tracers skipped, 1 line damaged.');
  });

  it('has no chart for purges alone', async () => {
    const line = 'x-1 [000] ..... 12.1: purge_vmap_area_lazy: start=0xffff end=0x0 num_purged=1';
    writeFileSync(join(folder, 'purges'), line);
    const { code, out, err } = await capture(['replay', 'purges', '--format', 'x86-64'], { cwd: folder });
    expect([code, err]).toEqual([0, '']);
    expect(out).not.toContain('Holes in percent');
  });

  it('is refused without vmalloc events', async () => {
    writeFileSync(join(folder, 'other'), HEAD.join('\n'));
    const { code, err } = await capture(['replay', 'other'], { cwd: folder });
    expect(code).toBe(2);
    expect(err).toContain('is neither a recorded stream nor ftrace text');
  });
});
