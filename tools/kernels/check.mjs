// The committed kernels are those that the sources give, and they are what core counts on.
import { readFileSync } from 'node:fs';
import { checkBinary } from './check-binary.mjs';
import { compileKernels, moduleText, target } from './compile.mjs';

const binaries = await compileKernels();
const problems = [
  ...checkBinary('not shared', binaries.notShared, false),
  ...checkBinary('shared', binaries.shared, true),
];
if (readFileSync(target, 'utf8') !== moduleText(binaries)) {
  problems.push(
    'packages/core/src/kernel/binaries.ts is not what packages/core/assembly gives: `npm run kernels`',
  );
}
for (const problem of problems) console.error(problem);
console.log(`kernels: ${binaries.notShared.length} and ${binaries.shared.length} bytes checked`);
process.exitCode = problems.length > 0 ? 1 : 0;
