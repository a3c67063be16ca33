import type * as Core from '@vmarea/core';
import type { Import } from '../module-code.js';
import type { Recorder } from '../recorder.js';
import * as common from './common.js';

const CHANGES: readonly string[] = [
  'applyToExisting',
  'applyToRange',
  'collapseLeaves',
  'prepareTables',
  'splitLeaves',
] satisfies (keyof typeof import('./changes.js'))[];

/** Loads what a program imports of core, with calls that are recorded. Most programs need half of it. */
export async function loadCore(recorder: Recorder, names: Import['names']): Promise<object> {
  const rest = (names ?? []).filter((name) => !(name in common));
  const parts: Promise<Partial<typeof Core>>[] = [];
  if (rest.some((name) => CHANGES.includes(name))) parts.push(import('./changes.js'));
  if (rest.includes('Process')) parts.push(import('./process.js'));
  if (names === null || rest.some((name) => !CHANGES.includes(name) && name !== 'Process'))
    parts.push(import('./whole.js'));
  const core: Partial<typeof Core> = Object.assign({}, common, ...(await Promise.all(parts)));
  return { ...core, ...recordedChanges(core, recorder), ...recordedSpaces(core, recorder) };
}

function recordedSpaces(core: Partial<typeof Core>, recorder: Recorder): object {
  class AddressSpace extends common.AddressSpace {
    constructor(options: ConstructorParameters<typeof common.AddressSpace>[0]) {
      super(options);
      recorder.draw('kernel', { space: this, memory: this.memory });
      recorder.call('new AddressSpace', [], () => undefined);
      recorder.traced(this);
    }
  }
  class PageTable extends common.PageTable {
    constructor(options: ConstructorParameters<typeof common.PageTable>[0]) {
      super(options);
      recorder.draw('table', { space: this, memory: options.memory });
      recorder.call('new PageTable', [], () => undefined);
      recorder.traced(this);
    }
  }
  if (core.Process === undefined) return { AddressSpace, PageTable };
  class Process extends core.Process {
    constructor(options: ConstructorParameters<typeof Core.Process>[0]) {
      super(options);
      recorder.draw('process', { space: this, memory: this.memory });
      recorder.call('new Process', [], () => undefined);
      recorder.traced(this);
    }
  }
  return { AddressSpace, PageTable, Process };
}

function recordedChanges(core: object, recorder: Recorder): object {
  return Object.fromEntries(
    Object.entries(core)
      .filter(([name]) => CHANGES.includes(name))
      .map(([name, change]) => {
        const make = change as (...args: unknown[]) => unknown;
        return [name, (...args: unknown[]) => recorder.call(name, args, () => make(...args))];
      }),
  );
}
