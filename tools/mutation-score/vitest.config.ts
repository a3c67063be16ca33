// The tests that judge the mutants of one room of core: VMAREA_ROOM names it.
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { keptWorkers } from './kept-worker.mjs';
import { bundles, isSlow, root } from './rooms.mjs';

/** Most mutants fail in a quick test, so the files with random calls run last. */
class QuickFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = (file: TestSpecification) => `${isSlow(file.moduleId) ? 1 : 0} ${file.moduleId}`;
    return files.sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
  }
}

export default defineConfig({
  root,
  plugins: [keptWorkers],
  test: {
    include: [`${bundles}/**/*.test.js`],
    // Node loads the bundles themselves: nothing in them is left to transform.
    server: { deps: { external: [/bundles.chunk-/] } },
    setupFiles: ['tools/mutation-score/each-file.mjs'],
    isolate: false,
    testTimeout: 120_000,
    sequence: { sequencer: QuickFirst },
  },
});
