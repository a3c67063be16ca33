import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import type { SimulateResult } from '../../src/simulate/result.js';
import { capture, type Surroundings } from '../support/capture.js';
import { type Access, champsimRecord, drmemtraceRecords, lackeyText } from '../support/traces.js';

const folder = mkdtempSync(join(tmpdir(), 'vmarea-simulate-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string | Uint8Array): string {
  writeFileSync(join(folder, name), content);
  return name;
}

const README = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');

/** One small case, to be quick. */
const SMALL = ['--format', 'x86-64', '--leaves', 'base', '--preset', 'zen-5'];

async function json(args: readonly string[], surroundings: Surroundings = {}): Promise<SimulateResult> {
  const { code, out, err } = await capture(['simulate', ...args, '--json'], { cwd: folder, ...surroundings });
  expect(err).toBe('');
  expect(code).toBe(0);
  return JSON.parse(out) as SimulateResult;
}

const ACCESSES: readonly Access[] = Array.from({ length: 3000 }, (_, i): Access => {
  if (i % 2 === 0) return ['F', 0x401000n + BigInt((i * 3) % 9000), 3];
  return [i % 3 === 0 ? 'S' : 'L', 0x7f0000000000n + BigInt((i * 7919) % 700_000), 8];
});
const TEXT = lackeyText(ACCESSES);

describe('vmarea-bench simulate', () => {
  it('simulates the bundled trace on a format of each architecture and page size', async () => {
    const { code, out, err } = await capture(['simulate'], { columns: 120 });
    expect(err).toBe('');
    expect(code).toBe(0);
    expect(out).toContain('What the memory accesses of the bundled trace cost in each format');
    expect(out).toContain(
      'Trace: lackey, 350,000 records; 247,657 fetches, 61,476 loads, 41,157 stores of pages of 4K',
    );
    for (const format of [
      'x86-64',
      'arm64-4k-48-cont',
      'arm64-16k-47-cont',
      'arm64-64k-48-cont',
      'riscv64-sv39-napot',
    ])
      expect(out).toMatch(new RegExp(`^${format} +base +[\\w-]+ +350,\\d{3} `, 'm'));
    expect(out).toMatch(/^x86-64 +base +golden-cove +350,290 +0\.026 +4\.979 +2\.558 +17\.1$/m);
    expect(out).toMatch(
      /^x86-64 +huge +golden-cove +133 +1\.06 +PGD 0\.01 PUD 0\.02 PMD 0\.05 PTE 0\.98 +132$/m,
    );
    expect(out).toMatch(/^arm64-16k-47-cont +base +apple-m1-p +350,\d{3} .* 9\.2 +27\.0–28\.2$/m);
    expect(out).toMatch(/^x86-64 +huge +zen-5 +896 +4\.51 +131×4K 2×2M +36 /m);
    expect(out).toContain('Walks for each thousand accesses, over the trace: ');
    expect(out).toContain('┤');
    expect(out.replace(/\s+/g, ' ')).toContain('are not published and are assumed; --json lists them.');
    // The rows of the README are those of this run.
    const lines = new Set(out.split('\n').map((line) => line.replace(/ +/g, ' ').trim()));
    const [, section = ''] = README.split('## How to read `simulate`');
    const shown = (section.split('```')[1] ?? '')
      .split('\n')
      .filter((line) => /^(?:x86-64|arm64-\S+|riscv64-\S+) +(?:base|huge) /.test(line));
    expect(shown).toHaveLength(8);
    for (const line of shown) expect(lines).toContain(line.replace(/ +/g, ' ').trim());
    for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(120);
  });

  it('gives the same result each time, and another for another seed', async () => {
    file('same.lackey', TEXT);
    // Scattered frames can decide what an entry covers on a core that coalesces.
    const args = [
      'same.lackey',
      '--format',
      'arm64-4k-48',
      '--preset',
      'cortex-a76',
      '--frames',
      'scattered',
    ];
    const first = await json(args);
    expect(await json(args)).toEqual(first);
    expect((await json([...args, '--seed', '2'])).options.seed).toBe(2);
  });

  it('reads a file, gzip and standard input alike', async () => {
    const plain = await json([file('plain.lackey', TEXT), ...SMALL]);
    expect(plain.trace).toEqual({
      ...{ file: 'plain.lackey', format: 'lackey', records: 3000, others: 0, firstOther: '' },
      ...{ bytes: TEXT.length, cutOff: null },
    });
    expect(plain.rows[0]?.moments).toHaveLength(60);
    expect(plain.rows[0]?.moments.at(-1)).toEqual({
      accesses: plain.rows[0]?.accesses.total,
      walks: plain.rows[0]?.walks,
    });
    const packed = gzipSync(TEXT);
    const before = readdirSync(tmpdir()).filter((name) => name.startsWith('vmarea-trace-'));
    const others = [
      await json([file('packed', packed), ...SMALL]),
      await json([
        file('parts', Buffer.concat([gzipSync(TEXT.slice(0, 999)), gzipSync(TEXT.slice(999))])),
        ...SMALL,
      ]),
      await json([file('windows.lackey', TEXT.replaceAll('\n', '\r\n')), ...SMALL]),
      await json(['-', ...SMALL], { stdin: TEXT }),
      await json(['-', ...SMALL], { stdin: packed }),
      await json(['--trace-format', 'lackey', file('no-end', TEXT.trimEnd()), ...SMALL]),
    ];
    for (const one of others) expect(one.rows).toEqual(plain.rows);
    const after = readdirSync(tmpdir()).filter((name) => name.startsWith('vmarea-trace-'));
    expect(after.filter((name) => !before.includes(name))).toEqual([]);
  });

  it('reads the same program from each format of traces', async () => {
    const loads = ACCESSES.filter(([kind]) => kind === 'L').map(([, address]) => address);
    const rows = await Promise.all(
      [
        file(
          'a.lackey',
          lackeyText(
            loads.flatMap((address): Access[] => [
              ['F', 0x401000n, 1],
              ['L', address, 1],
            ]),
          ),
        ),
        file('a.champsim', Buffer.concat(loads.map((address) => champsimRecord(0x401000n, [address], [])))),
        file(
          'a.drmemtrace.gz',
          gzipSync(
            drmemtraceRecords([
              [25, 0, 7n],
              ...loads.flatMap((address) => [[10, 1, 0x401000n] as const, [0, 1, address] as const]),
            ]),
          ),
        ),
        file(
          'a.view',
          loads
            .map(
              (address, i) =>
                `${2 * i} ${i}: W0.T1 ifetch 1 byte(s) @ 0x401000 90 nop\n${2 * i + 1} ${i}: W0.T1 read 1 byte(s) @ 0x${address.toString(16)} by PC 0x401000\n`,
            )
            .join(''),
        ),
      ].map(async (name) => (await json([name, ...SMALL])).rows),
    );
    for (const one of rows) expect(one).toEqual(rows[0]);
    expect(rows[0]?.[0]?.accesses).toMatchObject({ fetches: loads.length, loads: loads.length, stores: 0 });
  });

  it('keeps what came of gzip data that ends too early, and says so', async () => {
    const packed = gzipSync(TEXT);
    const name = file('cut.gz', packed.subarray(0, packed.length >> 1));
    const { trace, rows } = await json([name, ...SMALL]);
    expect(trace.cutOff).toMatch(/^its gzip data ends too early, and line \d+ is cut off after \d+ bytes$/);
    expect(trace.records).toBeGreaterThan(1000);
    expect(trace.records).toBeLessThan(3000);
    const { rows: whole } = await json([
      file('came', lackeyText(ACCESSES.slice(0, trace.records))),
      ...SMALL,
    ]);
    expect(rows).toEqual(whole);
    const { out } = await capture(['simulate', name, ...SMALL], { cwd: folder });
    expect(out.replace(/\s+/g, ' ')).toContain('Cut off: its gzip data ends too early');
    // Without the trailer, no data is missing; the end of the stream is.
    const { trace: almost } = await json([file('almost.gz', packed.subarray(0, -4)), ...SMALL]);
    expect(almost).toMatchObject({ records: 3000, cutOff: 'its gzip data ends too early' });
  });

  it('says that a record of a binary trace is cut off', async () => {
    const record = champsimRecord(0x401000n, [0x1000n], []);
    const name = file('cut.champsim', Buffer.concat([...Array(100).fill(record), record.subarray(0, 20)]));
    const { trace } = await json([name, '--trace-format', 'champsim', ...SMALL]);
    expect(trace).toMatchObject({ records: 100, cutOff: 'record 101 is cut off after 20 bytes' });
  });

  it('moves addresses that a format does not translate', async () => {
    const { rows } = await json([
      file('far.lackey', TEXT),
      '--format',
      'x86-64,riscv64-sv39,arm64-16k-47',
      '--leaves',
      'base',
      '--preset',
      'neoverse-v2',
    ]);
    const [x86, sv39] = rows;
    expect(sv39?.tlbs).toEqual(x86?.tlbs);
    expect(rows.map(({ movedPieces }) => movedPieces)).toEqual([0, 1, 0]);
    expect(sv39?.tables.frames).toBeLessThanOrEqual(x86?.tables.frames ?? 0);
    expect(rows).toHaveLength(3);
  });

  it('counts what it leaves out, and shows the first', async () => {
    const { out } = await capture(['simulate', file('mixed', `==1== Lackey\nhello\n${TEXT}`), ...SMALL], {
      cwd: folder,
    });
    expect(out.replace(/\s+/g, ' ')).toContain("left out: 2 others, the first is '==1== Lackey'");
  });

  it.each([
    ['none', 'cannot read none: there is no such file'],
    ['.', 'cannot read .: it is a directory'],
    [file('empty', ''), 'empty is empty; expected a trace of memory accesses'],
    [file('empty.gz', gzipSync('')), 'empty.gz is no trace that this command knows: its gzip data is empty'],
    [
      file('start.gz', gzipSync(TEXT).subarray(0, 5)),
      'start.gz is no trace that this command knows: its gzip data ends too early, after 0 bytes unpacked',
    ],
    [file('text', 'total 12\n-rw-r--r-- 1 root root\n'), 'is no trace that this command knows'],
    [
      file('a.xz', Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 4)),
      'xz -dc a.xz | vmarea-bench simulate -',
    ],
    [file('bad.gz', new Uint8Array(gzipSync(TEXT)).fill(7, -8, -4)), 'cannot unpack the gzip data of bad.gz'],
    [
      file('bad.lackey', `${TEXT} L 0401zz,8\n`),
      "bad.lackey:3001: expected a record of lackey, such as I  0401ab70,3 or  L 1fff000678,8, not ' L 0401zz,8'",
    ],
    [
      file('large.lackey', `${TEXT} L 1000,65536\n`),
      "not ' L 1000,65536'; an address has 1 to 16 hexadecimal digits, a size is 1 to 65535",
    ],
    [
      file('long.lackey', `${TEXT} L 12345678123456780,8\n`),
      "not ' L 12345678123456780,8'; an address has 1 to 16 hexadecimal digits",
    ],
    [
      file('large.view', '1 0: W0.T1 read 65536 byte(s) @ 0x1000 by PC 0x401000\n'),
      'an address has 1 to 16 hexadecimal digits, a size is 0 to 65535',
    ],
    [
      file(
        'bad.drmemtrace',
        drmemtraceRecords([
          [25, 0, 7n],
          [10, 1, 1n],
          [999, 0, 0n],
        ]),
      ),
      'bad.drmemtrace, record 3: expected a type from 0 to 49 in its first two bytes, not 999',
    ],
    [
      file(
        'markers',
        drmemtraceRecords([
          [25, 0, 7n],
          [26, 0, 0n],
        ]),
      ),
      'markers has no memory access in the format drmemtrace',
    ],
  ])('refuses the trace %s', async (name, message) => {
    const { code, out, err } = await capture(['simulate', name, ...SMALL], { cwd: folder });
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(message);
  });

  it.each([
    [['--trace-format', 'elf'], "unknown value of --trace-format 'elf'"],
    [['--trace-format', 'champsim'], 'bytes 8 and 9, to be 0 or 1'],
    [['--preset', 'zen-6'], 'Did you mean zen-2?'],
    [['--preset', 'zen-5,'], '--preset has an empty name'],
    [['--leaves', 'base,hug'], 'Did you mean huge?'],
    [['--leaves', 'base,'], '--leaves has an empty word'],
    [['--dense', '0'], '--dense must be a whole number from 1 to 100'],
    [['--frames', 'random'], "unknown value of --frames 'random'"],
    [['--walk-caches', 'intel'], "unknown value of --walk-caches 'intel'"],
    [['--format', 'x86'], "unknown format 'x86'"],
    [['--tlb', '1'], "unknown option '--tlb'"],
    [['b', 'c'], "unexpected argument 'b'; options start with --; one TRACE is given already"],
  ])('refuses %j', async (args, message) => {
    const { code, err } = await capture(['simulate', file('some.lackey', TEXT), ...args], { cwd: folder });
    expect(code).toBe(2);
    expect(err).toContain(message);
  });
});
