import * as core from '@vmarea/core';
import type { Recorder } from './recorder.js';

type Mmu = typeof import('@vmarea/mmu');

/** Packages are loaded when a program imports them: most programs need one format. Core is here, for the recorder reads tables with it. */
const LOADERS: Readonly<Record<string, (recorder: Recorder) => Promise<object>>> = {
  '@vmarea/core': async (recorder) => recordedCore(recorder),
  '@vmarea/mmu': async (recorder) => recordedMmu(await import('@vmarea/mmu'), recorder),
  '@vmarea/arena': async (recorder) => {
    const arena = await import('@vmarea/arena');
    const createArena: typeof arena.createArena = (...args) =>
      recorder.call('createArena', args, () => arena.createArena(...args));
    return { ...arena, createArena };
  },
  '@vmarea/x86-64': () => import('@vmarea/x86-64'),
  '@vmarea/x86-64-la57': () => import('@vmarea/x86-64-la57'),
  '@vmarea/arm64': () => import('@vmarea/arm64'),
  '@vmarea/riscv64': () => import('@vmarea/riscv64'),
};

/** The packages that a program may import. */
export const PACKAGES: readonly string[] = Object.keys(LOADERS);

/**
 * Loads packages, with calls that are recorded.
 *
 * @throws Error where one cannot be loaded, such as without a network. The message says which.
 */
export async function modulesFor(
  recorder: Recorder,
  names: readonly string[],
): Promise<Readonly<Record<string, object>>> {
  const load = async (name: string): Promise<readonly [string, object]> => {
    try {
      return [name, (await LOADERS[name]?.(recorder)) ?? {}];
    } catch (error) {
      throw new Error(`${name} could not be loaded: ${error instanceof Error ? error.message : error}`);
    }
  };
  return Object.fromEntries(await Promise.all([...new Set(names)].map(load)));
}

function recordedCore(recorder: Recorder): object {
  class AddressSpace extends core.AddressSpace {
    constructor(options: ConstructorParameters<typeof core.AddressSpace>[0]) {
      super(options);
      recorder.draw('kernel', { space: this, memory: this.memory });
      recorder.call('new AddressSpace', [], () => undefined);
      recorder.traced(this);
    }
  }
  class PageTable extends core.PageTable {
    constructor(options: ConstructorParameters<typeof core.PageTable>[0]) {
      super(options);
      recorder.draw('table', { space: this, memory: options.memory });
      recorder.call('new PageTable', [], () => undefined);
      recorder.traced(this);
    }
  }
  class Process extends core.Process {
    constructor(options: ConstructorParameters<typeof core.Process>[0]) {
      super(options);
      recorder.draw('process', { space: this, memory: this.memory });
      recorder.call('new Process', [], () => undefined);
      recorder.traced(this);
    }
  }
  const { splitLeaves, collapseLeaves, applyToRange, applyToExisting, prepareTables } = core;
  /** Functions that change tables. */
  const changes = { splitLeaves, collapseLeaves, applyToRange, applyToExisting, prepareTables };
  const recorded = Object.fromEntries(
    Object.entries(changes).map(([name, change]) => {
      const make = change as (...args: unknown[]) => unknown;
      return [name, (...args: unknown[]) => recorder.call(name, args, () => make(...args))];
    }),
  );
  return { ...core, ...recorded, AddressSpace, PageTable, Process };
}

function recordedMmu(mmu: Mmu, recorder: Recorder): object {
  class Mmu extends mmu.Mmu {
    constructor(options: ConstructorParameters<typeof mmu.Mmu>[0]) {
      super(options);
      recorder.traced(this);
    }
  }
  return { ...mmu, Mmu };
}
