// `npm run kernels`: compiles the WebAssembly kernels and writes them into core.
import { writeFileSync } from 'node:fs';
import { checkBinary } from './check-binary.mjs';
import { compileKernels, moduleText, target } from './compile.mjs';

const binaries = await compileKernels();
const problems = [
  ...checkBinary('not shared', binaries.notShared, false),
  ...checkBinary('shared', binaries.shared, true),
];
if (problems.length > 0) throw new Error(problems.join('\n'));
writeFileSync(target, moduleText(binaries));
console.log(`kernels: ${binaries.notShared.length} bytes, for shared memory ${binaries.shared.length} bytes`);
