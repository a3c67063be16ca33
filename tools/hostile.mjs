// Hostile calls in great numbers: `npm run hostile -- [calls] [seed]`. `npm test` makes a few thousand of them.
import { runSource } from './support/run-source.mjs';

process.exitCode = await runSource('test/vmap/hostile/main.ts', process.argv.slice(2));
