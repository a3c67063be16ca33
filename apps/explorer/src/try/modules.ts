import type * as MmuPackage from '@vmarea/mmu';
import { loadCore } from './core/load.js';
import type { Import } from './module-code.js';
import type { Recorder } from './recorder.js';

type Load = (recorder: Recorder, names: Import['names']) => Promise<object>;

/** Code is loaded when a program imports it: most programs need one format. */
const LOADERS: Readonly<Record<string, Load>> = {
  '@vmarea/core': loadCore,
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
 * Loads what a program imports, with calls that are recorded.
 *
 * @throws Error where a package cannot be loaded, such as without a network. The message says which.
 */
export async function modulesFor(
  recorder: Recorder,
  imports: readonly Import[],
): Promise<Readonly<Record<string, object>>> {
  const load = async (from: string): Promise<readonly [string, object]> => {
    // A program may import a package twice.
    const all = imports.filter((one) => one.from === from).map(({ names }) => names);
    const names = all.some((one) => one === null) ? null : all.flatMap((one) => one ?? []);
    try {
      return [from, (await LOADERS[from]?.(recorder, names)) ?? {}];
    } catch (error) {
      throw new Error(`${from} could not be loaded: ${error instanceof Error ? error.message : error}`);
    }
  };
  return Object.fromEntries(await Promise.all([...new Set(imports.map(({ from }) => from))].map(load)));
}

function recordedMmu(mmu: typeof MmuPackage, recorder: Recorder): object {
  class Mmu extends mmu.Mmu {
    constructor(options: ConstructorParameters<typeof mmu.Mmu>[0]) {
      super(options);
      recorder.traced(this);
    }
  }
  return { ...mmu, Mmu };
}
