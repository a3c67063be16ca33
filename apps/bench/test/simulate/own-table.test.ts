import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { AccessRow } from '@vmarea/compare';
import { afterAll, describe, expect, it } from 'vitest';
import type { SimulateResult } from '../../src/simulate/result.js';
import { capture } from '../support/capture.js';
import { pathOf } from '../support/files.js';
import { lackeyText } from '../support/traces.js';

const folder = mkdtempSync(join(tmpdir(), 'vmarea-own-'));
afterAll(() => rmSync(folder, { recursive: true }));

const guestFile = (guest: string, file: string): string =>
  pathOf(`../../packages/testkit/data/${guest}/${file}`);

/** A leaf of a recorded process, as another program found it. */
interface Leaf {
  readonly va: bigint;
  readonly size: bigint;
}

function leavesOf(guest: string, root: string): Leaf[] {
  return gunzipSync(readFileSync(guestFile(guest, `leaves.${root}.tsv.gz`)))
    .toString()
    .trim()
    .split('\n')
    .flatMap((row) => {
      const [va = '', count = '', size = ''] = row.split('\t');
      const bytes = BigInt(`0x${size}`);
      return Array.from({ length: Number(count) }, (_, i) => ({
        va: BigInt(`0x${va}`) + BigInt(i) * bytes,
        size: bytes,
      }));
    });
}

/** Writes a trace that loads from the first, a middle and the last bytes of each leaf, and returns its path. */
function traceOf(name: string, leaves: readonly Leaf[]): string {
  const accesses = leaves.flatMap(({ va, size }) =>
    [va, va + size / 2n + 64n, va + size - 8n].map((address) => ['L', address, 8] as const),
  );
  writeFileSync(join(folder, name), lackeyText(accesses));
  return name;
}

async function simulate(args: readonly string[]): Promise<{ result: SimulateResult; row: AccessRow }> {
  const { code, out, err } = await capture(['simulate', ...args, '--json'], { cwd: folder });
  expect(err).toBe('');
  expect(code).toBe(0);
  const result = JSON.parse(out) as SimulateResult;
  return { result, row: result.rows[0] as AccessRow };
}

describe("simulate over a process's own table", () => {
  const X86 = 'linux-6.12-x86-64';
  const image = guestFile(X86, 'tables.ptimg.gz');

  it('meets its leaves of 4 KiB, 2 MiB and 1 GiB: each is walked once', async () => {
    const all = leavesOf(X86, 'process');
    const of = (size: bigint, count: number): Leaf[] =>
      all.filter((leaf) => leaf.size === size).slice(0, count);
    const chosen = [...of(4096n, 30), ...of(2n ** 21n, 10), ...of(2n ** 30n, 2)];
    const trace = traceOf('mixed.lackey', chosen);
    const { row } = await simulate([
      ...[trace, '--image', image, '--root', 'process', '--format', 'x86-64', '--preset', 'zen-5'],
      ...['--walk-caches', 'none'],
    ]);
    expect(row).toMatchObject({ leaves: 'own', walks: 42, accesses: { total: 126, unmapped: 0 } });
    // A leaf of 1 GiB ends a walk at the PUD, one of 2 MiB at the PMD.
    expect(row.tableReads.levels.map(({ name, reads }) => [name, reads])).toEqual([
      ['PGD', 42],
      ['PUD', 42],
      ['PMD', 40],
      ['PTE', 30],
    ]);
    const sizes = row.mapped.leaves.map(({ bytes }) => bytes);
    expect(sizes).toEqual([4096, 2 ** 21, 2 ** 30]);
    // Of small leaves, those in the touched parts of 2 MiB are listed; of large ones, those that are touched.
    expect(row.mapped.leaves[1]?.count).toBe(10);
    expect(row.mapped.leaves[2]?.count).toBe(2);
    const parts = new Set(chosen.filter(({ size }) => size === 4096n).map(({ va }) => va >> 21n));
    const near = all.filter(({ va, size }) => size === 4096n && parts.has(va >> 21n));
    expect(row.mapped.leaves[0]?.count).toBe(near.length);
  });

  it.each([
    ['linux-6.1-arm64-4k', 'arm64-4k-48-cont'],
    ['linux-6.12-arm64-16k', 'arm64-16k-47-cont'],
  ])('reads the half of a process on %s', async (guest, format) => {
    const leaves = leavesOf(guest, 'ttbr0');
    const trace = traceOf(`${guest}.lackey`, leaves);
    const { row } = await simulate([
      ...[trace, '--image', guestFile(guest, 'tables.ptimg.gz'), '--root', 'ttbr0'],
      ...['--format', format, '--preset', 'neoverse-v2'],
    ]);
    expect(row.walks).toBe(leaves.length);
    expect(row.accesses).toMatchObject({ total: 3 * leaves.length, unmapped: 0 });
    const count = row.mapped.leaves.reduce(
      (sum, leaf) => sum + leaf.count * (leaf.bytes / leaf.entryBytes),
      0,
    );
    expect(count).toBe(leaves.length);
  });

  it('counts accesses of pages that the table does not map, and leaves them out', async () => {
    const [first] = leavesOf(X86, 'process') as [Leaf];
    writeFileSync(
      join(folder, 'holes.lackey'),
      lackeyText([
        ['L', first.va, 8],
        ['L', 0x10000n, 8],
        ['L', 0x10000n, 8],
        ['S', 0x0123_4567_89ab_cdefn, 4],
      ]),
    );
    const { row } = await simulate([
      ...[
        'holes.lackey',
        '--image',
        image,
        '--root',
        '0x144218000',
        '--format',
        'x86-64',
        '--preset',
        'zen-5',
      ],
    ]);
    expect(row.accesses).toMatchObject({ total: 1, unmapped: 3 });
    expect(row.walks).toBe(1);
  });

  it('reads the tables from an ELF core with physical addresses', async () => {
    const unpacked = gunzipSync(readFileSync(image));
    writeFileSync(join(folder, 'guest.core'), coreOf(unpacked));
    const chosen = leavesOf(X86, 'process').filter((_, i) => i % 1500 === 0);
    const args = [traceOf('core.lackey', chosen), '--format', 'x86-64', '--preset', 'golden-cove'];
    const own = await simulate([...args, '--image', 'guest.core', '--root', '0x144218000']);
    const container = await simulate([...args, '--image', image, '--root', 'process']);
    expect(own.row).toEqual(container.row);
    expect(own.row.accesses.unmapped).toBe(0);
  });

  it.each([
    [['--image', image], '--image needs the format of its tables'],
    [['--image', image, '--format', 'x86-64'], 'one of process, swapper'],
    [['--image', image, '--format', 'x86-64', '--root', 'kernel'], "not 'kernel'"],
    [['--image', image, '--format', 'x86-64', '--root', '0x1000'], 'does not have the root 0x1000'],
    [
      ['--image', image, '--format', 'x86-64', '--root', '0x1', '--leaves', 'base'],
      '--leaves has no meaning',
    ],
    [['--image', image, '--pagemap', 'a'], 'give one of them'],
    [['--image', 'none', '--format', 'x86-64'], 'none: there is no such file'],
    [['--image', '.', '--format', 'x86-64'], 'it is a directory'],
    [['--image', 'holes.lackey', '--format', 'x86-64'], 'is no image of memory'],
    [['--image', 'cut.ptimg', '--format', 'x86-64', '--root', 'process'], 'is it truncated?'],
    [['--root', '0x1000'], '--root is the root table in an image'],
  ])('refuses %j', async (args, message) => {
    writeFileSync(join(folder, 'cut.ptimg'), gzipSync(gunzipSync(readFileSync(image)).subarray(0, 500)));
    const { code, out, err } = await capture(['simulate', ...args], { cwd: folder });
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(message);
  });
});

describe('simulate with a pagemap', () => {
  const text = gunzipSync(readFileSync(guestFile('linux-6.12-x86-64', 'pagemap.txt.gz'))).toString();
  const rows = text
    .trim()
    .split('\n')
    .map((row) => row.split(/\s+/).map((word) => BigInt(`0x${word}`)) as [bigint, bigint, bigint])
    .filter(
      ([va, , word]) => va >> 47n === 0n && word >> 63n === 1n && ((word >> 62n) % 2n === 1n) === false,
    );

  function pagemapFile(name: string, lines: readonly string[], end = '\n'): string {
    writeFileSync(join(folder, name), lines.join(end) + end);
    return name;
  }

  const lines = rows.map(
    ([va, count, word]) => `${va.toString(16)} ${count.toString(16)} ${word.toString(16)}`,
  );
  const pages = rows.reduce((sum, [, count]) => sum + Number(count), 0);
  const trace = traceOf(
    'pagemap.lackey',
    rows.slice(0, 50).map(([va]) => ({ va, size: 4096n })),
  );

  it.each(['\n', '\r\n'])('maps the pages of a process, with lines that end in %j', async (end) => {
    const name = pagemapFile('guest.pagemap', ['# a process', ...lines], end);
    const { result } = await simulate([
      ...[trace, '--pagemap', name, '--format', 'x86-64,riscv64-sv48-napot', '--preset', 'zen-5'],
    ]);
    for (const row of result.rows) expect(row.mapped.bytes).toBe(4096 * pages);
    const [base, huge] = result.rows as [AccessRow, AccessRow];
    expect(base.mapped.leaves).toEqual([{ bytes: 4096, entryBytes: 4096, count: pages }]);
    expect(base.walks).toBe(50);
    expect(base.accesses.total).toBe(150);
    // The process has a huge page: its frames follow each other from a multiple of 2 MiB on.
    expect(huge.mapped.leaves.map(({ bytes }) => bytes)).toEqual([4096, 2 ** 21]);
    expect(result.rows.at(-1)).toMatchObject({ configuration: 'riscv64-sv48-napot', leaves: 'huge' });
  });

  it('reads a v2p.textproto: a page whose address is 0 has none', async () => {
    const block = (...fields: string[]): string[] => [
      'address_mapping {',
      ...fields.map((one) => `  ${one}`),
      '}',
    ];
    const name = pagemapFile('v2p.textproto', [
      '# proto-file: v2p.proto',
      'page_size: 4096',
      ...block('virtual_address: 0x7f0000000000', 'physical_address: 0x200000'),
      ...block('virtual_address: 139637976731648', 'physical_address: 0x201000'),
      ...block('physical_address: 0x5000'),
    ]);
    const name2 = 'v2p.lackey';
    writeFileSync(
      join(folder, name2),
      lackeyText([
        ['L', 0x10n, 8],
        ['L', 0x7f0000000ffcn, 8],
        ['L', 0x7f0000002000n, 8],
      ]),
    );
    const { row } = await simulate([
      name2,
      '--pagemap',
      name,
      '--format',
      'x86-64',
      '--preset',
      'zen-5',
      '--leaves',
      'base',
    ]);
    expect(row.mapped.leaves).toEqual([{ bytes: 4096, entryBytes: 4096, count: 3 }]);
    expect(row.accesses).toMatchObject({ total: 3, unmapped: 1 });
  });

  it('leaves out formats that cannot have the pages, and says why', async () => {
    const name = pagemapFile('odd.pagemap', ['7f0000001000 1 12345']);
    const { code, err } = await capture(
      ['simulate', trace, '--pagemap', name, '--format', 'arm64-16k-47,riscv64-sv39'],
      {
        cwd: folder,
      },
    );
    expect(code).toBe(2);
    expect(err).toContain('odd.pagemap:1 has pages of 4096 bytes that are no whole pages of 16384');
    expect(err).toContain('odd.pagemap:1 has addresses that the format does not translate');
  });

  it.each([
    [['hello'], 'bad.pagemap:1: expected ADDRESS COUNT FRAME'],
    [['1000 1 2', '2000 0 3'], 'bad.pagemap:2: expected a count of at least 1'],
    [['1001 1 2'], 'bad.pagemap:1: expected addresses that are multiples of the page size 4096'],
    [
      ['1000 4 2', '3000 1 9'],
      'bad.pagemap:2: expected pages that no other line has; line 1 has address 0x3000',
    ],
    [['page_size: 5000', '1000 1 2'], 'bad.pagemap:1: expected a page size'],
    [['ffffffffffffe000 3 2'], 'bad.pagemap:1: expected a range that ends below 2^64'],
    [['# nothing'], 'bad.pagemap has no page'],
    [
      ['address_mapping {', ' colour: 3', '}'],
      'bad.pagemap:2: expected virtual_address: or physical_address:',
    ],
    [['address_mapping {', ' virtual_address: 0x1000'], 'bad.pagemap:1: expected a } behind this block'],
    [[''], 'bad.pagemap is blank; expected the lines of a pagemap'],
  ])('refuses %j', async (bad, message) => {
    pagemapFile('bad.pagemap', bad);
    const { code, err } = await capture(['simulate', trace, '--pagemap', 'bad.pagemap'], { cwd: folder });
    expect(code).toBe(2);
    expect(err).toContain(message);
  });
});

/** An ELF core with the frames of a container: each is a segment at its physical address. */
function coreOf(container: Uint8Array): Uint8Array {
  const view = new DataView(container.buffer, container.byteOffset, container.byteLength);
  const length = view.getUint32(8, true);
  const header = JSON.parse(new TextDecoder().decode(container.subarray(12, 12 + length))) as {
    frames: number;
    pageShift: number;
  };
  const size = 2 ** header.pageShift;
  const framesAt = 12 + length + 8 * header.frames;
  const dataAt = 64 + 56 * header.frames;
  const core = new Uint8Array(dataAt + header.frames * size);
  const out = new DataView(core.buffer);
  core.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  out.setUint16(16, 4, true);
  out.setBigUint64(32, 64n, true);
  out.setUint16(54, 56, true);
  out.setUint16(56, header.frames, true);
  for (let i = 0; i < header.frames; i++) {
    const at = 64 + 56 * i;
    out.setUint32(at, 1, true);
    out.setBigUint64(at + 8, BigInt(dataAt + i * size), true);
    out.setBigUint64(at + 24, view.getBigUint64(12 + length + 8 * i, true), true);
    out.setBigUint64(at + 32, BigInt(size), true);
    out.setBigUint64(at + 40, BigInt(size), true);
  }
  core.set(container.subarray(framesAt, framesAt + header.frames * size), dataAt);
  return core;
}
