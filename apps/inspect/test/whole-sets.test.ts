import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { readLeaves, unpackFile } from '@vmarea/testkit';
import { describe, expect, test, vi } from 'vitest';
import { capture, rowsOf } from './support/capture.js';
import { asTruth, differences, merged, temporary } from './support/dumps.js';

vi.setConfig({ testTimeout: 600_000 });

/** The whole dumps, where they are beside the repository: hundreds of megabytes each. The project has parts of some. */
const WHOLE =
  process.env.VMAREA_DUMPS ?? fileURLToPath(new URL('../../../../shared/dumps/', import.meta.url));

interface Info {
  readonly roots: Readonly<Record<string, string>>;
  readonly files: readonly { readonly file: string }[];
}

const sets = existsSync(WHOLE)
  ? readdirSync(WHOLE).filter((set) => existsSync(`${WHOLE}/${set}/info.json`))
  : [];
const infoOf = (set: string): Info => JSON.parse(readFileSync(`${WHOLE}/${set}/info.json`, 'utf8'));
/** The containers of a machine: one by default, another one for each. The package that reads them compares all with the same lists. */
const files = sets.flatMap((set, index) => {
  const all = infoOf(set).files.map(({ file }) => ({ set, file }));
  const one = (index + 1) % all.length;
  return process.env.VMAREA_LONG === '1' ? all : all.slice(one, one + 1);
});

describe.skipIf(sets.length === 0)('a whole dump', () => {
  test.each(files)(
    '$set/$file lists every leaf of every root through the command line',
    async ({ set, file }) => {
      const { roots } = infoOf(set);
      const path = join(temporary(), 'whole');
      writeFileSync(path, unpackFile(`${WHOLE}/${set}/${file}`));
      const map = file.startsWith('raw') ? ['--map', '0'] : [];
      const { out } = await capture(['info', path, ...map, '--json']);
      const { best, roots: found } = JSON.parse(out);
      const kernel = found[best - 1];
      expect(BigInt(kernel.root)).toBe(BigInt(roots.kernel ?? 0));
      for (const name of truthsOf(set)) {
        const root = `0x${BigInt(roots[name] ?? 0).toString(16)}`;
        // A process of arm64 has a root of the other half.
        const isOther = name !== 'kernel' && kernel.format.startsWith('arm64');
        const named = name === 'kernel' ? [] : isOther ? ['--ttbr0', root] : ['--root', root];
        const rows = await rowsOf(['leaves', path, ...map, ...named]);
        const truth = readLeaves(
          gunzipSync(readFileSync(`${WHOLE}/${set}/truth/leaves.${name}.tsv.gz`)).toString(),
        );
        expect(differences(asTruth(rows), merged(truth))).toEqual([]);
      }
    },
  );
});

function truthsOf(set: string): string[] {
  return readdirSync(`${WHOLE}/${set}/truth`).flatMap(
    (file) => /^leaves\.(.*)\.tsv\.gz$/.exec(file)?.[1] ?? [],
  );
}
