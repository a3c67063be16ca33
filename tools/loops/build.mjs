// `npm run loops`: compiles the WebAssembly loops and writes them into core.
import { writeFileSync } from 'node:fs';
import { checkBinary } from './check-binary.mjs';
import { compileLoops, moduleText, target } from './compile.mjs';

const binaries = await compileLoops();
const problems = [
  ...checkBinary('not shared', binaries.notShared, false),
  ...checkBinary('shared', binaries.shared, true),
];
if (problems.length > 0) throw new Error(problems.join('\n'));
writeFileSync(target, moduleText(binaries));
console.log(`loops: ${binaries.notShared.length} bytes, for shared memory ${binaries.shared.length} bytes`);
