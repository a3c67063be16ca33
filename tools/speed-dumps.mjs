// How long a dump of 4 GiB takes to open and list, and how much memory: `node tools/speed-dumps.mjs`. The file is sparse. Each row is a
// process of its own. `node tools/speed-dumps.mjs scan` adds one that looks through all memory.
import { runSource } from './support/run-source.mjs';

const ROWS = [['raw'], ['lime'], ['elf'], ...(process.argv[2] === 'scan' ? [['lime', 'scan']] : [])];
for (const row of ROWS) process.exitCode ||= await runSource('packages/image/test/speed.ts', row);
