import { defineConfig } from 'vitest/config';

/** The site in Chromium, as a reader uses it. `npm run test:browser` runs this on what `npm run site` made. */
export default defineConfig({
  test: { include: ['test/site/*.browser.ts'], testTimeout: 240_000, hookTimeout: 120_000 },
});
