import { defineConfig } from 'vitest/config';

const conditions = ['@vmarea/source', 'module', 'node', 'development|production'];
/** What is run: tests, measurements (`speed`) or pictures (`screenshots`). tools/support/explorer.mjs builds the page first. */
const kind = process.env.VMAREA_EXPLORER ?? 'browser';

/** The page in Chromium, as a person uses it. */
export default defineConfig({
  root: import.meta.dirname,
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: [`test/*/*.${kind}.ts`],
    testTimeout: 240_000,
    hookTimeout: 120_000,
    // One browser at a time: a page that waits for a processor looks slow.
    fileParallelism: false,
  },
});
