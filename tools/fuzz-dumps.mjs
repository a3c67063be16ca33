// Opens and reads changed dumps in great numbers: `npm run fuzz:dumps -- [files of each container] [seed] [name]`. `npm test` makes
// two thousand of each.
import { runSource } from './support/run-source.mjs';

process.exitCode = await runSource('packages/image/test/fuzz/main.ts', process.argv.slice(2));
