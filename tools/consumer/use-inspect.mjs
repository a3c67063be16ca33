import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { printed, root } from '../support/run.mjs';

/** The kernel's root of the dump, as the kernel itself says. */
const ROOT = '0x0000000081fcb000';

/**
 * Runs the installed vmarea-inspect on a dump, and calls the package.
 *
 * @param {import('./checks.mjs').Checks} checks
 * @param {import('./project.mjs').Project} project
 */
export async function useInspect(checks, project) {
  const dump = join(project.folder, 'riscv64.kdump');
  const packed = join(root, 'packages/image/test/data/riscv64-sv39.zstd.kdump.gz');
  writeFileSync(dump, gunzipSync(readFileSync(packed)));
  const file = join(project.folder, 'node_modules/.bin/vmarea-inspect');
  const inspect = async (/** @type {string[]} */ ...args) => {
    const { code, stdout, stderr } = await printed(file, args, { cwd: project.folder });
    if (code !== 0) throw new Error(`it ended with ${code}\n${stdout}${stderr}`);
    return stdout;
  };
  await checks.check('vmarea-inspect info --json', async () => {
    const { best, roots } = JSON.parse(await inspect('info', dump, '--json'));
    if (roots[best - 1]?.root !== ROOT) throw new Error(`the best root is ${roots[best - 1]?.root}`);
    return roots[best - 1].from;
  });
  await checks.check('vmarea-inspect find --writable --executable --format', async () => {
    // By a format that is found by its keyword. This kernel has nothing that is both.
    const args = ['--json', '--root', ROOT, '--format', 'riscv64-sv39-napot', '--writable', '--executable'];
    const found = await inspect('find', dump, ...args);
    if (found !== '') throw new Error(`it found ${found}`);
    return '';
  });
  const program = (/** @type {string} */ take) => `
    const fs = ${take}('node:fs');
    const { FORMATS, chooseRoot, tableStats } = ${take}('@vmarea/inspect');
    const { fileSource, findRoots, openImage } = ${take}('@vmarea/image');
    const image = openImage(fileSource(fs.openSync('${dump}', 'r'), fs));
    const { leaves } = tableStats(chooseRoot(image, findRoots(image, { formats: FORMATS })), image);
    console.log(leaves);`;
  await checks.check('@vmarea/inspect: import and require', async () => {
    const counts = [
      await project.evaluate('module', program('await import')),
      await project.evaluate('commonjs', program('require')),
    ].map((text) => text.trim());
    if (!(Number(counts[0]) > 1000) || counts[0] !== counts[1]) throw new Error(counts.join(', '));
    return `${counts[0]} leaves`;
  });
}
