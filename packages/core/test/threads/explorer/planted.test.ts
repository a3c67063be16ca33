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
  readonly interleavings?: readonly [string, string];
}

const lists = ['threads', 'shared-memory'];
const faults = lists.flatMap((name): readonly Fault[] =>
  JSON.parse(readFileSync(new URL(`../../../../../tools/mutations/${name}.json`, import.meta.url), 'utf8')),
);
const explored = faults.filter((fault) => fault.interleavings !== undefined);
/** Every third by default: all of them take half a minute. `npm run threads` and `npm run mutations` plant all. */
const planted = process.env.VMAREA_LONG === '1' ? explored : explored.filter((_fault, i) => i % 3 === 0);

// Not by its counts: an execution goes wrong.
test.each(planted)('an interleaving fails when it does not hold that $rule', async (fault) => {
  const [file, name] = fault.interleavings as readonly [string, string];
  const bundle = await casesOf(file, [fault]);
  await expect(explore(bundle, name)).rejects.toThrow(/^(?!there is no case)/);
});
