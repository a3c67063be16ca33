import type { Checked, Group, Subject, SuiteOptions, Test } from './case.js';
import { ALL_GROUPS } from './groups/index.js';
import { endCase } from './tools/memories.js';

/**
 * Runs a page-table format through everything that a format must do: what it says of itself, and the engine on it.
 *
 * Every test's name is an id, `arm64-16k-47:runs:protect:run=128:offset=3`, which `only` takes to run it alone. A group that is
 * skipped is a test, too, with the reason in its name.
 *
 * @param test - registers a test.
 * @param factory - gives the subject, a new one or always the same.
 * @throws Error when `skip` names no group, or `only` no case.
 * @example
 * ```ts
 * import { suite } from '@vmarea/conformance';
 * import { test } from 'vitest';
 * for (const configuration of configurations) suite(test, () => configuration);
 * ```
 */
export function suite(test: Test, factory: () => Subject, options: SuiteOptions = {}): void {
  const { skip = {} } = options;
  for (const name of Object.keys(skip)) {
    if (!ALL_GROUPS.some((group) => group.name === name)) {
      throw new Error(
        `skip names the group ${name}; there are ${ALL_GROUPS.map((one) => one.name).join(', ')}`,
      );
    }
  }
  let registered = 0;
  for (const group of ALL_GROUPS) {
    const reason = skip[group.name];
    if (reason === undefined) registered += runGroup(test, factory, group, options);
    else test(`${factory().name}:${group.name}: skipped, ${reason}`, () => {});
  }
  if (options.only !== undefined && registered === 0) throw new Error(`only ${options.only} is no case`);
}

/**
 * Runs one group of the suite.
 *
 * @returns how many cases were registered.
 */
export function runGroup(
  test: Test,
  factory: () => Subject,
  group: Group,
  options: SuiteOptions = {},
): number {
  const { only = '', seed = 1, runs = 20, manual = {} } = options;
  const subject = factory();
  const protections = (subject.linux?.protections ?? {}) as Checked['protections'];
  let registered = 0;
  for (const { id, run } of group.cases({ ...subject, protections }, { seed, runs, manual })) {
    const name = `${subject.name}:${group.name}:${id}`;
    if (!name.startsWith(only)) continue;
    registered++;
    test(name, () => {
      try {
        run();
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        throw new Error(`${name} (seed ${seed}): ${message}`, { cause: error });
      } finally {
        endCase();
      }
    });
  }
  return registered;
}
