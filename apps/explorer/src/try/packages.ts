import type * as Arena from '@vmarea/arena';
import * as core from '@vmarea/core';
import type * as MmuPackage from '@vmarea/mmu';
import type { Recorder } from './recorder.js';

/** What makes the packages of a program, each with calls that are recorded. All but core load when a program names them. */
const LOADERS: Readonly<Record<string, (recorder: Recorder) => object | Promise<object>>> = {
  '@vmarea/core': recordedCore,
  '@vmarea/mmu': async (recorder) => recordedMmu(recorder, await import('@vmarea/mmu')),
  '@vmarea/arena': async (recorder) => recordedArena(recorder, await import('@vmarea/arena')),
  '@vmarea/x86-64': () => import('@vmarea/x86-64'),
  '@vmarea/x86-64-la57': () => import('@vmarea/x86-64-la57'),
  '@vmarea/arm64': () => import('@vmarea/arm64'),
  '@vmarea/riscv64': () => import('@vmarea/riscv64'),
};

/** The packages that a program may import. */
export const PACKAGES: readonly string[] = Object.keys(LOADERS);

/** Loads the packages that a program imports. */
export async function packagesFor(
  recorder: Recorder,
  packages: readonly string[],
): Promise<Readonly<Record<string, object>>> {
  const loaded = await Promise.all(
    packages.map(async (name) => [name, await LOADERS[name]?.(recorder)] as const),
  );
  return Object.fromEntries(
    loaded.flatMap(([name, module]) => (module === undefined ? [] : [[name, module]])),
  );
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
  const changes = Object.fromEntries(
    Object.entries({ splitLeaves, collapseLeaves, applyToRange, applyToExisting, prepareTables }).map(
      ([name, change]) => {
        const make = change as (...args: unknown[]) => unknown;
        return [name, (...args: unknown[]) => recorder.call(name, args, () => make(...args))];
      },
    ),
  );
  return { ...core, ...changes, AddressSpace, PageTable, Process };
}

function recordedMmu(recorder: Recorder, mmu: typeof MmuPackage): object {
  class Mmu extends mmu.Mmu {
    constructor(options: ConstructorParameters<typeof MmuPackage.Mmu>[0]) {
      super(options);
      recorder.traced(this);
    }
  }
  return { ...mmu, Mmu };
}

function recordedArena(recorder: Recorder, arena: typeof Arena): object {
  const createArena: typeof Arena.createArena = (...args) =>
    recorder.call('createArena', args, () => arena.createArena(...args));
  return { ...arena, createArena };
}
