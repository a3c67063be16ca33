import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The one that a run takes when `CC` is not set. */
const compiler = 'cc';

/** Why the tests with real C cannot run; `null` when they can. */
export const noCompiler: string | null =
  spawnSync(compiler, ['--version']).status === 0 ? null : `there is no ${compiler} on this machine`;

if (noCompiler !== null) console.warn(`Tests of the C reference are skipped: ${noCompiler}.`);

/**
 * A value of `CC` whose compiler makes, of any sources, a program that runs a shell script.
 *
 * @param folder - where both are put; without blanks.
 */
export function fakeCompiler(folder: string, script: string): string {
  const file = join(folder, 'cc.mjs');
  const program = `#!/bin/sh\n${script}\n`;
  writeFileSync(
    file,
    `import { writeFileSync } from 'node:fs';
const at = process.argv.indexOf('-o');
if (at < 0) console.log('a compiler that cannot');
else writeFileSync(process.argv[at + 1], ${JSON.stringify(program)}, { mode: 0o755 });\n`,
  );
  return `${process.execPath} ${file}`;
}
