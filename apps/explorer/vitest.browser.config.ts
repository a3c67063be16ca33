import { defineConfig } from 'vitest/config';

/** The page in Chromium, as a person uses it. `npm run test:browser` builds it and runs this. */
export default defineConfig({
  root: import.meta.dirname,
  test: {
    include: ['test/browser/*.browser.ts'],
    testTimeout: 240_000,
    hookTimeout: 120_000,
    // One browser at a time: a page that waits for a processor looks slow.
    fileParallelism: false,
  },
});
