import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { gzipSync } from 'node:zlib';
import { PageTableReader } from '@vmarea/core';
import * as v from 'valibot';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { capture } from '../support/capture.js';
import { ARM64_4K_GUEST, pathOf, textOf } from '../support/files.js';
import { layoutShape } from '../support/shapes.js';

afterEach(() => {
  vi.restoreAllMocks();
});

const quick = ['layout', '--repeat', '1'];
/** A format of each page size. */
const few = ['--format', 'x86-64,arm64-16k-47,arm64-64k-48'];
/** Where a test runs the command several times. */
const one = ['--format', 'x86-64', '--leaves', 'huge'];
/** An input that maps nothing. */
const EMPTY = '0x0-0x0 8192 a+0x1/0x2 sparse\n';
const folder = mkdtempSync(join(tmpdir(), 'vmarea-bench-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function json(args: readonly string[], stdin?: string | Uint8Array) {
  const { code, out, err } = await capture(
    [...quick, '--json', ...args],
    stdin === undefined ? {} : { stdin },
  );
  expect(err).toBe('');
  expect(code).toBe(0);
  return v.parse(layoutShape, JSON.parse(out));
}

describe('layout --json', () => {
  it('prints one object of the documented shape', async () => {
    const result = await json(['--format', 'x86-64']);
    expect(result.input.areas).toEqual({ vmalloc: 154, vmap: 1, ioremap: 6, sparse: 1, 'per-cpu': 1 });
    expect(result.rows.map((row) => row.leafPolicy)).toEqual(
      result.rows.map((_, i) => (i % 2 === 0 ? 'base' : 'huge')),
    );
    expect(result.warnings).toEqual([]);
    expect(result.repeat).toBe(1);
    expect(result.seed).toBe(1);
  });

  it('reads files, gzip files and standard input', async () => {
    const text = textOf(ARM64_4K_GUEST);
    const zipped = join(folder, 'guest.gz');
    writeFileSync(zipped, gzipSync(text));
    const exact = (result: v.InferOutput<typeof layoutShape>) =>
      result.rows.map(({ map: _map, walk: _walk, ...rest }) => rest);
    const plain = await json([...one, '--vmallocinfo', pathOf(ARM64_4K_GUEST)]);
    expect(plain.input).toMatchObject({ lines: 76, unpurged: 5, hashedLines: 0, pageBytes: 4096 });
    expect(exact(await json([...one, `--vmallocinfo=${zipped}`]))).toEqual(exact(plain));
    expect(exact(await json([...one, '--vmallocinfo', '-'], text))).toEqual(exact(plain));
    expect(exact(await json([...one, '--vmallocinfo', '-'], gzipSync(text)))).toEqual(exact(plain));
  });

  it('does not need the addresses', async () => {
    const text = textOf(ARM64_4K_GUEST);
    const zeros = text.replace(/0x[0-9a-f]{16}-0x[0-9a-f]{16}/g, '0x0000000000000000-0x0000000000000000');
    let salt = 0;
    const hashed = text.replace(
      /0x[0-9a-f]{16}(?=[- ] *\d*0x| +\d)/g,
      () => `0x00000000${(Math.imul(++salt, 0x9e3779b1) >>> 0).toString(16).padStart(8, '0')}`,
    );
    const plain = await json([...one, '--vmallocinfo', '-'], text);
    for (const hidden of [zeros, hashed]) {
      expect(hidden).not.toBe(text);
      const result = await json([...one, '--vmallocinfo', '-'], hidden);
      expect(result.input).toEqual({ ...plain.input, hashedLines: 76 });
      expect(result.rows.map(({ leaves, tables }) => ({ leaves, tables }))).toEqual(
        plain.rows.map(({ leaves, tables }) => ({ leaves, tables })),
      );
    }
  });

  it('takes a leaf policy, a page size and a seed', async () => {
    const line = '0x0-0x0 131072 a+0x1/0x2 vmap shiny\n';
    const result = await json(
      [
        '--format',
        'arm64-64k-48',
        '--leaves',
        'huge',
        '--page-size',
        '65536',
        '--seed',
        '7',
        '--vmallocinfo',
        '-',
      ],
      line,
    );
    expect(new Set(result.rows.map((row) => row.leafPolicy))).toEqual(new Set(['huge']));
    expect(result.input).toMatchObject({
      pageBytes: 65536,
      pageBytesFrom: 'option',
      unknownWords: { shiny: 1 },
    });
    expect(result.rows.map((row) => row.mapped.bytes)).toEqual(result.rows.map(() => 65536));
    expect(result.seed).toBe(7);
  });

  it('counts and names areas that do not fit', async () => {
    // 4 PiB are more than a window of 32 TiB.
    const huge = '0x0-0x0 4503599627370496 a+0x1/0x2 sparse\n';
    const far = '0x0-0x0 8192 a+0x1/0x2 phys=0xfffffffffffff000 ioremap\n';
    const result = await json(['--format', 'x86-64', '--leaves', 'base', '--vmallocinfo', '-'], huge + far);
    expect(result.rows.map((row) => row.areas)).toEqual(
      result.rows.map(() => ({
        placed: 1,
        mapped: 0,
        sparse: 0,
        unknownContent: 0,
        unreachable: 1,
        doesNotFit: 1,
      })),
    );
    expect(result.warnings).toHaveLength(2 * result.rows.length);
    expect(result.warnings[0]).toMatch(/base leaves: the vmalloc window has no room for 1 area \(line 1\)$/);
    expect(result.warnings[1]).toMatch(
      /base leaves: 1 area left empty, since the physical addresses exceed \d+ bits \(line 2\)$/,
    );
  });
});

describe('layout as text', () => {
  it('describes the input and the columns, and says that nothing leaked', async () => {
    const { code, out, err } = await capture([...quick, '--details', '--format', 'x86-64']);
    expect(code).toBe(0);
    expect(err).toBe('');
    const flat = out.replace(/\s+/g, ' ');
    expect(flat).toContain('163 lines: 163 areas (154 vmalloc, 1 vmap, 6 ioremap, 1 sparse, 1 per-cpu)');
    expect(flat).toContain('source pages of 4K (found from its lines)');
    expect(flat).toMatch(
      /format policy areas MiB leaves by size tables KiB B\/MiB entries\/walk ns\/page ns\/walk/,
    );
    expect(flat).toMatch(/x86-64 base 163 271\.1 69,395×4K 140 560 2,115 4\.00 \/ 4/);
    expect(flat).toMatch(/x86-64 huge 163 271\.1 2,323×4K 131×2M 8 32 121 3\.0\d \/ 4/);
    expect(flat).toContain('huge: larger leaves where Linux and alignment allow them');
    const torn = /([\d,]+) of ([\d,]+) table frames and ([\d,]+) of ([\d,]+) mapped frames came back\./.exec(
      flat,
    );
    expect(torn?.[1]).toBe(torn?.[2]);
    expect(torn?.[3]).toBe(torn?.[4]);
    expect(flat).toContain('1 sparse area.');
    expect(out).not.toContain('\u001b');
  });

  it('keeps to 80 columns', async () => {
    const { out } = await capture(
      [
        ...[...quick, '--details', '--format', 'x86-64,riscv64-sv39-napot'],
        ...['--vmallocinfo', pathOf(ARM64_4K_GUEST)],
      ],
      {
        columns: 80,
        tty: true,
      },
    );
    const long = out
      .split('\n')
      .filter((line) => stripVTControlCharacters(line).length > 80 && !line.includes('/'));
    expect(long).toEqual([]);
    expect(out.match(/^format +policy/gm)).toHaveLength(2);
  });

  it('ranks formats, folds equal rows, and names the callers that cost most', async () => {
    const names = 'arm64-4k-48,arm64-4k-48-cont,arm64-16k-47,x86-64';
    const { code, out } = await capture([...quick, '--leaves', 'base', '--format', names], {
      columns: 80,
      tty: true,
      env: { NO_COLOR: '1' },
    });
    expect(code).toBe(0);
    const lines = out.split('\n');
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
    // 560 KiB of 271.1 MiB; 176 KiB and 768 lost ones of 271.9 MiB. The bars share 40 columns, or what is left.
    expect(out).toMatch(/^ *1 +arm64-4k-48 \+2 +base +560 +0 +0\.20% +4\.00 +█+$/m);
    expect(out).toMatch(/^ *2 +arm64-16k-47 +base +176 +768 +0\.34% +3\.00 +█+▒+$/m);
    expect(out).toContain('1: base arm64-4k-48, arm64-4k-48-cont, x86-64');
    const bars = lines.flatMap((line) => /[█▒]+$/.exec(line)?.[0] ?? []);
    expect(bars.map((bar) => bar.length)).toEqual([...bars].map((bar) => bar.length).sort((a, b) => a - b));
    // The 256 MiB of PCI configuration space have 128 tables of pages, and most of the tables above.
    expect(out).toMatch(/^pci_mmcfg_arch_init +ioremap +1 +256\.0 +52\d\.\d/m);
    expect(out).toContain('On 16K pages (arm64-16k-47), these areas take');
    expect(out).not.toContain('ns/page');
  });

  it('has colours on a terminal without NO_COLOR', async () => {
    const outOf = async (env: Record<string, string>) =>
      (await capture([...quick, ...one, '--vmallocinfo', '-'], { tty: true, stdin: EMPTY, env })).out;
    expect(await outOf({})).toContain('\u001b[1m');
    expect(await outOf({ NO_COLOR: '1' })).not.toContain('\u001b');
    expect(await outOf({ TERM: 'dumb' })).not.toContain('\u001b');
  });

  it('reports unknown words, hidden addresses and freed areas', async () => {
    const stdin =
      '0x0-0x0 8192 a+0x1/0x2 pages=1 vmalloc sh\u001bny\n0x0-0x0 8192 unpurged vm_area\n0x0-0x0 8192 a+0x1/0x2 sparse\n';
    const { out } = await capture([...quick, ...one, '--vmallocinfo', '-'], { stdin });
    expect(out).toContain('The kernel hid the addresses of 3 lines');
    expect(out).toContain('Skipped: 1 area already freed');
    expect(out).toContain('Unknown words: sh\\u{1b}ny (1).');
  });

  it('has a row of dashes for an input that maps nothing', async () => {
    const { code, out } = await capture([...quick, ...few, '--details', '--vmallocinfo', '-'], {
      stdin: EMPTY,
    });
    expect(code).toBe(0);
    expect(out).toMatch(/base +1 +0\.0 +– +1 +\d+ +– +– +– +–$/m);
  });
});

describe('layout refuses with exit code 2 and no stack trace', () => {
  it.each([
    [['--repeat', '0'], "--repeat must be a whole number from 1 to 1000, not '0'"],
    [['--repeat', '1.5'], "not '1.5'"],
    [['--repeat', '-3'], "not '-3'"],
    [['--seed', 'abc'], "--seed must be a whole number from 0 to 4294967295, not 'abc'"],
    [['--seed', '4294967296'], "not '4294967296'"],
    [['--page-size', '5000'], "--page-size must be a power of two from 4096 to 65536, in bytes, not '5000'"],
    [['--page-size', '1024'], '--page-size must be a power of two from 4096 to 65536'],
    [['--page-size', '4K'], "in bytes, not '4K'"],
    [['--leaves', 'a\u001bb'], "--leaves 'a\\u{1b}b'"],
    [['--format', 'banana'], "unknown format 'banana'\nInstalled: "],
    [['--format', 'x86-64,'], '--format has an empty name; installed: '],
    [
      ['saved.txt'],
      "unexpected argument 'saved.txt'; options start with --; name a file with --vmallocinfo FILE",
    ],
    [['--leaves', 'all'], "unknown value of --leaves 'all'\nKnown: base, huge, both"],
    [['--leaves', 'hug'], "unknown value of --leaves 'hug'\nDid you mean huge?"],
    [['--format', 'x86-65'], "unknown format 'x86-65'\nDid you mean x86-64?\n"],
    [['--vmallocinfo', '/nowhere'], 'cannot read /nowhere: there is no such file'],
    [['--vmallocinfo'], '--vmallocinfo needs a value: --vmallocinfo FILE'],
    [['--vmallocinfo='], '--vmallocinfo needs a value'],
    [['--json=yes'], '--json takes no value'],
    [['--no-json'], "unknown option '--no-json'\nDid you mean --json?"],
    [['--formt', 'x'], "unknown option '--formt'\nDid you mean --format?"],
    [['file.txt'], "unexpected argument 'file.txt'"],
    [['-j'], "unexpected argument '-j'"],
    [['--constructor', 'x'], "unknown option '--constructor'"],
  ])('%j', async (args, message) => {
    const { code, out, err } = await capture(['layout', ...args]);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toMatch(/^vmarea-bench: /);
    expect(err).toContain(message);
    expect(err).not.toMatch(/\n {4}at /);
  });

  it('and names file, line and column of a malformed input', async () => {
    const { code, err } = await capture(['layout', '--vmallocinfo', '-'], {
      stdin: '0x0-0x0 8192 vmap\n0x0-0x0 x\n',
    });
    expect(code).toBe(2);
    expect(err).toBe(
      "vmarea-bench: standard input:2:9: expected the size in bytes: a decimal number, found 'x'\n",
    );
  });
});

describe('layout --skip-bad', () => {
  const stdin =
    '$ sudo cat /proc/vmallocinfo\n' +
    '0x0000000000000000-0x0000000000000000    8192 start_kernel pages=1 vmalloc\n' +
    '> 0xffffc90000409000-0xffffc9000040b000    8192 f+0x1/0x2 phys=f0000 ioremap\n' +
    '0x(____ptrval____)-0x(____ptrval____)   12288 pcpu_get_vm_areas vmalloc\n' +
    '0xffffc90000409000-0xffffc9000040b000    8192 f+0x1/0x2 phys=f0000 ioremap\n';

  it('passes over lines that cannot be read, counts them and says what they look like', async () => {
    const { input } = await json([...one, '--skip-bad', '--vmallocinfo', '-'], stdin);
    expect(input.areas).toEqual({ vmalloc: 1, ioremap: 1, 'per-cpu': 1 });
    expect(input).toMatchObject({ lines: 3, hashedLines: 2, unknownWords: {} });
    expect(input.skipped.lines).toBe(2);
    expect(input.skipped.first.map(({ line, column }) => [line, column])).toEqual([
      [1, 1],
      [3, 1],
    ]);
    expect(input.skipped.first[0]?.message).toMatch(
      /^standard input:1:1: .*; this looks like a shell's prompt with its command: remove the line$/,
    );
  });

  it('shows them in the report', async () => {
    const { code, out } = await capture([...quick, ...one, '--skip-bad', '--vmallocinfo', '-'], { stdin });
    expect(code).toBe(0);
    const flat = out.replace(/\s+/g, ' ');
    expect(flat).toContain('Skipped: 2 lines that cannot be read:');
    expect(flat).toContain('- standard input:3:1: expected the first address');
    expect(flat).toContain("this looks like a mail's quoted line: take away the 2 characters before 0x");
  });

  it('says nothing of a file without such lines', async () => {
    expect((await json([...one, '--skip-bad'])).input.skipped).toEqual({ lines: 0, first: [] });
  });

  it('shows the first twenty of many', async () => {
    const many = `${'hello\n'.repeat(30)}${EMPTY}`;
    const { input } = await json([...one, '--skip-bad', '--vmallocinfo', '-'], many);
    expect(input.skipped.lines).toBe(30);
    expect(input.skipped.first).toHaveLength(20);
    const { out } = await capture([...quick, ...one, '--skip-bad', '--vmallocinfo', '-'], { stdin: many });
    expect(out).toContain('- and 10 more');
  });

  it.each([
    [
      'hello\nworld\n',
      'none of 2 lines can be read; the first: standard input:1:1: expected the first address',
    ],
    [
      `${EMPTY}${'x\n'.repeat(100_001)}`,
      'more than 100,000 lines cannot be read; the first: standard input:2:1: expected the first address',
    ],
  ])('ends with exit code 2 for a text that is something else', async (text, message) => {
    const { code, err } = await capture([...quick, ...one, '--skip-bad', '--vmallocinfo', '-'], {
      stdin: text,
    });
    expect(code).toBe(2);
    expect(err).toContain(`vmarea-bench: ${message}`);
  });

  it('is needed: without it the first such line ends the run', async () => {
    const { code, out, err } = await capture([...quick, ...one, '--vmallocinfo', '-'], { stdin });
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toMatch(
      /^vmarea-bench: standard input:1:1: expected the first address: .*; this looks like a shell/,
    );
  });
});

it('a wrong translation ends with exit code 1 and nothing on standard output', async () => {
  vi.spyOn(PageTableReader.prototype, 'translate').mockReturnValue(0n);
  const { code, out, err } = await capture([...quick, ...one]);
  expect(code).toBe(1);
  expect(out).toBe('');
  expect(err).toMatch(
    /^vmarea-bench: .*was mapped to frame 0x.* and translates to physical address 0x0000000000000000\n$/,
  );
});
