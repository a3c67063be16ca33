import { join } from 'node:path';
import { printed } from '../support/run.mjs';

/**
 * Runs the installed command.
 *
 * @param {import('./checks.mjs').Checks} checks
 * @param {import('./project.mjs').Project} project
 */
export async function useCommand(checks, project) {
  const file = join(project.folder, 'node_modules/.bin/vmarea-bench');
  const bench = (/** @type {string[]} */ args) => printed(file, args, { cwd: project.folder });
  const succeeding = async (/** @type {string[]} */ args) => {
    const { code, stdout, stderr } = await bench(args);
    if (code !== 0) throw new Error(`it ended with ${code}\n${stdout}${stderr}`);
    return stdout;
  };
  const layout = ['layout', '--json', '--repeat', '1'];
  const speed = [
    ...['speed', '--json', '--quick', '--passes', '1'],
    ...['--workload', 'W1,W4.batch,W5.unmap', '--format', 'x86-64,arm64-16k-47,riscv64-sv39'],
  ];
  const simulate = ['simulate', '--json', '--format', 'x86-64,riscv64-sv39-napot'];
  const badInput = ['layout', '--vmallocinfo', 'nosuchfile'];
  await checks.check('vmarea-bench --help', async () => checkHelp(await succeeding(['--help'])));
  await checks.check('vmarea-bench layout --json', async () => checkLayout(await succeeding(layout)));
  await checks.check('vmarea-bench speed --quick --json', async () => checkSpeed(await succeeding(speed)));
  await checks.check('vmarea-bench simulate --json', async () => checkSimulate(await succeeding(simulate)));
  await checks.check('vmarea-bench with a file that does not exist', async () =>
    checkBadInput(await bench(badInput)),
  );
}

/** @param {string} text */
function checkHelp(text) {
  for (const word of ['USAGE', 'layout', 'speed']) {
    if (!text.includes(word)) throw new Error(`the help does not say ${word}:\n${text}`);
  }
  return '';
}

/** @param {string} text */
function checkLayout(text) {
  const { rows, warnings } = JSON.parse(text);
  if (rows.length === 0) throw new Error('it has no row');
  if (warnings.length > 0) throw new Error(`it warns: ${warnings.join('; ')}`);
  for (const { configuration, leafPolicy, mapped, leakCheck } of rows) {
    const row = `${configuration}, ${leafPolicy}`;
    if (!(mapped.pages > 0)) throw new Error(`${row}: nothing was mapped`);
    for (const what of ['tables', 'frames']) {
      const { before, peak, after } = leakCheck[what];
      if (before !== after || !(peak > before)) {
        throw new Error(`${row}: ${what} before ${before}, at most ${peak}, after ${after}`);
      }
    }
  }
  return `${rows.length} rows, no frame leaked`;
}

/**
 * The bundled trace is in the package.
 *
 * @param {string} text
 */
function checkSimulate(text) {
  const { trace, rows } = JSON.parse(text);
  if (rows.length === 0) throw new Error('it has no row');
  for (const { configuration, preset, walks } of rows)
    if (!(walks > 0)) throw new Error(`${configuration}, ${preset}: nothing was walked`);
  return `${rows.length} rows, ${trace.records} records`;
}

/**
 * Every variant runs in processes of its own, from the installed files. C takes part where the machine has a compiler.
 *
 * @param {string} text
 */
function checkSpeed(text) {
  const { rows, skipped, compiler } = JSON.parse(text);
  if (rows.length === 0) throw new Error('it has no row');
  if (skipped.length > 0) throw new Error(`${skipped.length} workloads were skipped`);
  for (const { configuration, workload, wasm, array } of rows) {
    const row = `${configuration}, ${workload}`;
    if (!(wasm.median > 0 && array.median > 0)) throw new Error(`${row}: nothing was timed`);
    if (wasm.loops !== 'wasm' || array.loops !== 'array') throw new Error(`${row}: other loops ran`);
  }
  return `${rows.length} rows, ${compiler === null ? 'no compiler' : 'compared with C'}`;
}

/** @param {{ code: number, stdout: string, stderr: string }} result */
function checkBadInput({ code, stdout, stderr }) {
  if (code !== 2 || stdout !== '' || !stderr.includes('nosuchfile')) {
    throw new Error(`exit code ${code}, standard output '${stdout}', standard error '${stderr}'`);
  }
  return stderr.trim();
}
