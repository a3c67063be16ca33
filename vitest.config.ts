import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig, type TestProjectConfiguration } from 'vitest/config';

const root = fileURLToPath(new URL('.', import.meta.url));

/** Tests that replace modules. */
const replacing = 'test/**/*.mocked.test.ts';

/** Tests of the repository find packages by their names. */
const fromSources = { find: /^@vmarea\/([^/]+)$/, replacement: `${root}packages/$1/src/index.ts` };

/** Every package and app is one test project, named like its npm package. */
function packageProjects(): TestProjectConfiguration[] {
  return ['packages', 'apps'].flatMap((group) =>
    readdirSync(`${root}${group}`)
      .map((folder) => `${root}${group}/${folder}`)
      .filter((folder) => existsSync(`${folder}/package.json`))
      .map((folder) => ({
        extends: true as const,
        root: folder,
        test: {
          name: JSON.parse(readFileSync(`${folder}/package.json`, 'utf8')).name as string,
          include: ['test/**/*.test.ts'],
          exclude: [replacing],
          // Files of one worker share their modules: to import them for each file took a third of the run.
          isolate: false,
        },
      })),
  );
}

export default defineConfig({
  // Tests run against the sources of every package: nothing has to be built first.
  resolve: { conditions: ['@vmarea/source', 'module', 'node', 'development|production'] },
  ssr: { resolve: { conditions: ['@vmarea/source', 'module', 'node', 'development|production'] } },
  test: {
    // A property test takes seconds, and on a busy machine a minute. A hang still ends.
    testTimeout: 120_000,
    setupFiles: [`${root}test/support/property-rules.ts`],
    // The default leaves one processor free, which on two halves the speed.
    maxWorkers: '100%',
    reporters: ['default', 'json'],
    outputFile: { json: 'reports/vitest.json' },
    projects: [
      ...packageProjects(),
      {
        extends: true,
        root: `${root}apps/bench`,
        test: { name: 'replaced modules', include: [replacing] },
      },
      {
        // Tests of the repository as a whole, such as the examples in its documents.
        extends: true,
        resolve: { alias: [fromSources] },
        test: { name: 'repository', include: ['test/**/*.test.ts'], exclude: [replacing], isolate: false },
      },
      {
        extends: true,
        resolve: { alias: [fromSources] },
        test: { name: 'replaced modules of the repository', include: [replacing] },
      },
    ],
  },
});
