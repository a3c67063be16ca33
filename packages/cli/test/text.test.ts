import { afterEach, describe, expect, test, vi } from 'vitest';
import { widthOf } from '../src/console.js';
import { count, decimal, pageSizeName, plural } from '../src/numbers.js';
import { progress } from '../src/progress.js';
import { nearest } from '../src/suggest.js';
import { fittedTables, textTable, wrap } from '../src/text-table.js';

describe('texts:', () => {
  test('numbers have separators and units', () => {
    expect([
      count(262144),
      plural(1, 'area'),
      plural(2, 'area'),
      decimal(1234.567, 1),
      decimal(null, 1),
    ]).toEqual(['262,144', '1 area', '2 areas', '1,234.6', '–']);
    expect([1, 4096, 16384, 65536, 2 ** 21, 2 ** 30, 2 ** 39, 2 ** 42].map(pageSizeName)).toEqual([
      '1',
      '4K',
      '16K',
      '64K',
      '2M',
      '1G',
      '512G',
      '4T',
    ]);
  });

  test('tables align their columns', () => {
    const text = textTable(
      [
        { head: 'name', align: 'left', cell: ([name]) => name },
        { head: 'n', align: 'right', cell: ([, n]) => n },
      ],
      [
        ['a', '1'],
        ['longer', '22'],
      ] as const,
    );
    expect(text).toBe('name     n\n──────────\na        1\nlonger  22');
  });

  test('tables that are too wide are split', () => {
    const column = (head: string) =>
      ({ head, align: 'left', cell: () => `\u001b[1m${head}\u001b[22m` }) as const;
    const tables = (width: number) =>
      fittedTables([column('k')], [[column('a'), column('b')], [column('c')]], [0], width);
    expect(tables(10).map((table) => table.split('\n')[0])).toEqual(['k  a  b  c']);
    expect(tables(9).map((table) => table.split('\n')[0])).toEqual(['k  a  b', 'k  c']);
  });

  test('paragraphs break at spaces', () => {
    expect(wrap('aa bb cc dd', 5, ' ')).toBe('aa bb\n cc\n dd');
    expect(wrap('a-word-that-is-too-long b', 5)).toBe('a-word-that-is-too-long\nb');
  });

  test('the width is the terminal’s, else COLUMNS, else 120', () => {
    const write = () => {};
    expect(widthOf({ write, isTTY: true, columns: 90 }, { COLUMNS: '70' })).toBe(90);
    expect(widthOf({ write, columns: 90 }, { COLUMNS: '70' })).toBe(70);
    expect(widthOf({ write }, { COLUMNS: 'wide' })).toBe(120);
    expect(widthOf({ write, isTTY: true, columns: 0 }, {})).toBe(120);
  });

  test('the nearest name is found', () => {
    expect(nearest('spede', ['layout', 'speed'])).toBe('speed');
    expect(nearest('SPEED', ['layout', 'speed'])).toBe('speed');
    expect(nearest('arm46', ['X86-64', 'ARM64'])).toBe('ARM64');
    expect(nearest('banana', ['layout', 'speed'])).toBeUndefined();
  });
});

describe('progress', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  /** What four steps show that take `ms` each. */
  async function shown(isTTY: boolean, ms: number, env: Record<string, string> = {}): Promise<string> {
    vi.useFakeTimers({ toFake: ['Date', 'performance', 'setTimeout', 'clearTimeout'] });
    let text = '';
    const bar = progress({ stderr: { write: (more) => (text += more), isTTY, columns: 40 }, env }, 4);
    for (let i = 0; i < 4; i++) {
      await bar.step(`part ${i + 1}`);
      vi.advanceTimersByTime(ms);
    }
    bar.end();
    return text;
  }

  test('prints nothing in a short run', async () => {
    expect(await shown(true, 50)).toBe('');
    expect(await shown(false, 400)).toBe('');
  });

  test('is a bar on a terminal, which is removed at the end', async () => {
    const text = await shown(true, 500);
    expect(text.split('\u001b').flatMap((part) => part.match(/█.*/) ?? [])).toEqual([
      '██████░░░░░░░░░░░░░░░░░░ 25% part 2',
      '████████████░░░░░░░░░░░░ 50% part 3',
      '██████████████████░░░░░░ 75% part 4',
    ]);
    expect(text.endsWith('\u001b[1G\u001b[2K')).toBe(true);
    expect(text).not.toContain('\n');
  });

  test('counts a step by its amount', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'performance', 'setTimeout', 'clearTimeout'] });
    let text = '';
    const bar = progress({ stderr: { write: (more) => (text += more) }, env: {} }, 2 ** 32);
    for (const [part, amount] of [
      ['small', 0],
      ['large', 2 ** 31],
      ['middle', 2 ** 30],
      ['last', 2 ** 30],
    ] as const) {
      await bar.step(part, amount);
      vi.advanceTimersByTime(6000);
    }
    bar.end();
    expect(text).toBe('0% large\n50% middle\n75% last\n');
  });

  test('does not change the terminal’s cursor, wrapping and colours', async () => {
    const sequences = (await shown(true, 500)).split('\u001b').slice(1);
    for (const sequence of sequences) {
      // Not: hide the cursor, stop wrapping, a colour.
      expect(sequence).not.toMatch(/^\[\?25l|^\[\?7l|^\[[\d;]*m/);
    }
  });

  test.each([
    ['no terminal', false, {}],
    ['a terminal without cursor movement', true, { TERM: 'dumb' }],
  ] as const)('is a line every few seconds on %s', async (_, isTTY, env) => {
    expect(await shown(isTTY, 2500, env)).toBe('25% part 2\n75% part 4\n');
  });
});
