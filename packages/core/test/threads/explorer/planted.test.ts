import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { casesOf } from './cases-of.js';
import { explore } from './explore.js';

interface Fault {
  readonly rule: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** File and name of the case that fails. */
  readonly interleavings: readonly [string, string];
}

const list = new URL('../../../../../tools/mutations/threads.json', import.meta.url);
const faults: readonly Fault[] = JSON.parse(readFileSync(list, 'utf8'));

// Not by its counts: an execution goes wrong.
test.each(faults)('an interleaving fails when it does not hold that $rule', async (fault) => {
  const [file, name] = fault.interleavings;
  const bundle = await casesOf(file, [fault]);
  await expect(explore(bundle, name)).rejects.toThrow(/^(?!there is no case)/);
});
