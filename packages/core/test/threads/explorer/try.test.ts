import { test } from 'vitest';
import { bundleCases } from './bundle.js';
import { explore } from './explore.js';

test('tries', async () => {
  const bundle = await bundleCases(
    new URL(process.env.CASES ?? './cases/lock.ts', import.meta.url),
    process.env.RING
      ? [
          {
            file: 'packages/core/src/threads/layout.ts',
            find: 'RING: number = 1024',
            replace: `RING: number = ${process.env.RING}`,
          },
        ]
      : [],
  );
  for (const name of Object.keys(bundle.cases)) {
    const start = Date.now();
    try {
      const result = await explore(bundle, name);
      console.log(name, JSON.stringify(result), Date.now() - start);
    } catch (error) {
      console.log(name, (error as Error).message);
    }
  }
});
