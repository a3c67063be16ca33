import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
import type { ThreadCase } from './thread-case.js';

/** A text of a source file, and what is in its place. */
export interface Replacement {
  /** Path in the repository. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** Cases as a program for workers, and as objects of this thread. */
export interface Bundle {
  readonly program: string;
  readonly cases: Readonly<Record<string, ThreadCase>>;
}

const root = fileURLToPath(new URL('../../../../../', import.meta.url));
const waiting = 'packages/core/src/threads/waiting.ts';
/** A thread looks once before it waits: each look more is a step, and shows nothing new. */
const LOOK_ONCE: Replacement = { file: waiting, find: 'SPINS = 2000', replace: 'SPINS = 1' };

/**
 * Bundles a file of cases with the sources that it uses.
 *
 * @param file - exports `cases`.
 * @param replacements - for smaller constants, and for planted faults.
 */
export async function bundleCases(file: URL, replacements: readonly Replacement[] = []): Promise<Bundle> {
  const stepper = fileURLToPath(new URL('./stepper.ts', import.meta.url));
  const contents = `
    import { cases } from ${JSON.stringify(fileURLToPath(file))};
    import { runExplored } from ${JSON.stringify(stepper)};
    export { cases };
    runExplored(cases);`;
  const left = new Set([LOOK_ONCE, ...replacements]);
  const built = await build({
    stdin: { contents, resolveDir: root, loader: 'ts' },
    plugins: [replacing(left)],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'cjs',
    conditions: ['@vmarea/source'],
  });
  for (const { file: unused } of left)
    if (unused !== waiting) throw new Error(`${unused} is not in the bundle`);
  const program = built.outputFiles[0]?.text as string;
  const module = { exports: {} as Pick<Bundle, 'cases'> };
  new Function('module', 'exports', 'require', program)(
    module,
    module.exports,
    createRequire(import.meta.url),
  );
  return { program, cases: module.exports.cases };
}

function replacing(left: Set<Replacement>): Plugin {
  const all = [...left];
  return {
    name: 'replacements',
    setup({ onLoad }) {
      onLoad({ filter: /\.ts$/ }, ({ path }) => {
        let contents = readFileSync(path, 'utf8');
        for (const one of all) {
          if (path !== root + one.file) continue;
          if (contents.split(one.find).length !== 2) throw new Error(`${one.file} has not once: ${one.find}`);
          contents = contents.replace(one.find, () => one.replace);
          left.delete(one);
        }
        return { contents, loader: 'ts' };
      });
    },
  };
}
