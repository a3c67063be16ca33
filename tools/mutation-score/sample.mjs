// Stryker's plugin for a share of the mutants: it lets those through whose hash with the seed is small. Stryker counts the
// others as errors, which are no part of a score. The same share and seed always give the same mutants.
import { createHash } from 'node:crypto';

/** @typedef {{ id: string, fileName: string, location: { start: { line: number, column: number } }, replacement: string }} Mutant */

class Sample {
  async init() {}

  /** @param {Mutant[]} mutants */
  group(mutants) {
    return [mutants.map(({ id }) => id)];
  }

  /** @param {Mutant[]} mutants */
  async check(mutants) {
    return Object.fromEntries(
      mutants.map((mutant) => [
        mutant.id,
        isChosen(mutant) ? { status: 'passed' } : { status: 'compileError', reason: 'not in the sample' },
      ]),
    );
  }
}

/** @param {Mutant} mutant */
function isChosen({ fileName, location, replacement }) {
  const file = fileName.slice(fileName.indexOf('packages/core'));
  const { line, column } = location.start;
  const { VMAREA_SHARE = '1', VMAREA_SEED = '1' } = process.env;
  const hash = createHash('sha256')
    .update(`${VMAREA_SEED} ${file} ${line} ${column} ${replacement}`)
    .digest();
  return hash.readUInt32LE() < Number(VMAREA_SHARE) * 2 ** 32;
}

export const strykerPlugins = [{ kind: 'Checker', name: 'sample', injectableClass: Sample }];
