// Checks that the committed loops are what the sources compile to, and that core can rely on them.
import { readFileSync } from 'node:fs';
import { checkBinary } from './check-binary.mjs';
import { compileLoops, moduleText, target } from './compile.mjs';

const binaries = await compileLoops();
const problems = [
  ...checkBinary('not shared', binaries.notShared, false),
  ...checkBinary('shared', binaries.shared, true),
];
if (readFileSync(target, 'utf8') !== moduleText(binaries)) {
  problems.push(
    'packages/core/src/loops/wasm/binaries.ts is not what packages/core/assembly gives: `npm run loops`',
  );
}
for (const problem of problems) console.error(problem);
console.log(`loops: ${binaries.notShared.length} and ${binaries.shared.length} bytes checked`);
process.exitCode = problems.length > 0 ? 1 : 0;
