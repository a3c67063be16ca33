import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { arm64 } from '@vmarea/arm64';
import { hex, type PageTableFormat, PageTableReader } from '@vmarea/core';
import { readLeaves, unpackFile } from '@vmarea/testkit';
import { describe, expect, test, vi } from 'vitest';
import { bytesSource, findProcesses, findRoots, type Image, openImage } from '../src/index.js';
import { differences, formats, rowsOf } from './support/dumps.js';

vi.setConfig({ testTimeout: 600_000 });

/** The whole dumps, where they are beside the repository: hundreds of megabytes each. The project has parts of some. */
const WHOLE =
  process.env.VMAREA_DUMPS ?? fileURLToPath(new URL('../../../../shared/dumps/', import.meta.url));

interface Info {
  readonly ram: readonly { readonly start: string }[];
  readonly roots: Readonly<Record<string, string>>;
  readonly files: readonly { readonly file: string }[];
}

const sets = existsSync(WHOLE)
  ? readdirSync(WHOLE).filter((set) => existsSync(`${WHOLE}/${set}/info.json`))
  : [];
const infoOf = (set: string): Info => JSON.parse(readFileSync(`${WHOLE}/${set}/info.json`, 'utf8'));
const unpacked = (path: string): Uint8Array => unpackFile(`${WHOLE}/${path}`);

function open(set: string, file: string, more: { vmcoreinfo?: string } = {}): Image {
  const [ram] = infoOf(set).ram;
  const raw = file.startsWith('raw') ? { map: [{ address: BigInt(ram?.start ?? 0) }] } : {};
  return openImage(bytesSource(unpacked(`${set}/${file}`)), { ...raw, ...more });
}

/** The lists of leaves that a set has. */
function truthsOf(set: string): string[] {
  return readdirSync(`${WHOLE}/${set}/truth`).flatMap(
    (file) => /^leaves\.(.*)\.tsv\.gz$/.exec(file)?.[1] ?? [],
  );
}

describe.each(sets)('the set %s', (set) => {
  const info = infoOf(set);
  const kernel = BigInt(info.roots.kernel ?? 0);
  const processes = Object.entries(info.roots)
    .filter(([name]) => name !== 'kernel' && !name.endsWith('-user'))
    .map(([, root]) => BigInt(root));

  test.each(info.files.map(({ file }) => file))(
    'in %s has every leaf of every root, and all processes',
    (file) => {
      const image = open(set, file);
      const { best } = findRoots(image, { formats });
      expect(best).toMatchObject({ role: 'kernel', root: kernel, isBelieved: true });
      const found = best && findProcesses(image, best);
      if (found !== null)
        expect(found?.map(({ root }) => hex(root)).sort()).toEqual(processes.map(hex).sort());
      const rows: string[] = [];
      for (const name of truthsOf(set)) {
        // A process of arm64 has the other half, with the same granule and size.
        const isUser = name !== 'kernel' && best?.format === 'arm64';
        const format = isUser ? arm64({ ...best.options, half: 'ttbr0' } as never) : best?.table?.format;
        const root = BigInt(info.roots[name] ?? 0);
        const table = new PageTableReader({ format: format as PageTableFormat, memory: image.memory, root });
        const truth = readLeaves(new TextDecoder().decode(unpacked(`${set}/truth/leaves.${name}.tsv.gz`)));
        expect(differences(rowsOf(table), truth)).toEqual([]);
        rows.push(`${name} ${truth.length}`);
      }
      console.log(
        `${set} ${file}: ${best?.from}; ${rows.join(', ')}; processes ${found?.length ?? 'unknown'}`,
      );
    },
  );

  test('has its kernel root where nothing says it', () => {
    const image = open(set, info.files[0]?.file ?? '', { vmcoreinfo: 'OSRELEASE=\n' });
    const { candidates } = findRoots(image, { formats, scan: 'always' });
    const believed = candidates.filter(({ isBelieved, role }) => isBelieved && role === 'kernel');
    expect(believed.map(({ root, origin }) => [hex(root), origin])).toEqual([[hex(kernel), 'scan']]);
  });
});

/** Edits of a file: bytes that are written, a cut, bytes that are put in. */
interface Edit {
  readonly base: string;
  readonly expect: string;
  readonly write?: readonly (readonly [number, string])[];
  readonly cut?: number;
}

const damaged: Readonly<Record<string, Edit>> = existsSync(`${WHOLE}/x86-4level/damaged.json`)
  ? JSON.parse(readFileSync(`${WHOLE}/x86-4level/damaged.json`, 'utf8'))
  : {};

/** The page that is looked at beside the root, where it is another one. */
const pageOf: Readonly<Record<string, bigint>> = { 'kdump-truncated': 11577n << 12n };

describe.skipIf(sets.length === 0)('a damaged dump', () => {
  const root = sets.includes('x86-4level') ? BigInt(infoOf('x86-4level').roots.kernel ?? 0) : 0n;
  test.each(Object.entries(damaged))(
    '%s is opened or refused with its reason',
    (name, { base, write = [], cut }) => {
      let bytes = unpacked(base);
      for (const [at, digits] of write) bytes.set(Buffer.from(digits, 'hex'), at);
      if (cut !== undefined) bytes = bytes.slice(0, cut);
      let outcome: string;
      try {
        const image = openImage(bytesSource(bytes));
        const page = pageOf[name] ?? root;
        outcome = `${image.stateOf(root)}: ${image.whyNot(page)}; ${image.warnings.join(', ')}`;
        if (page !== root) outcome += `; then ${image.stateOf(page)}`;
      } catch (error) {
        outcome = (error as Error).message;
      }
      const expected: Readonly<Record<string, RegExp>> = {
        'kdump-offset-beyond':
          /^cut: page 11298 cannot be read: its descriptor 11298 says \d+ bytes at byte 0x[\da-f]+, and the file has/,
        'kdump-zlib-corrupt': /^cut: page 11298 cannot be read: its zlib data at byte 0x[\da-f]+ is damaged/,
        // The root's data ends at byte 1,206,992, before the cut at 1,261,467; that of page 11577 goes over it.
        'kdump-truncated':
          /^present: page 11577 cannot be read: its descriptor 11577 says 903 bytes at byte 0x133dca, and the file has 1261467.*; then cut$/,
        'kdump-wrong-magic': /no container: expected/,
        'elf-truncated': /the file is cut: \d+ bytes/,
        'flat-no-end': /no closing chunk/,
      };
      expect(outcome).toMatch(expected[name] ?? /^EINVAL/);
    },
  );
});
