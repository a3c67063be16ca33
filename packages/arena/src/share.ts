import { AddressSpace, registerRegionKind, VmError } from '@vmarea/core';
import { Arena } from './arena.js';
import { type ArenaDescription, DESCRIPTION_VERSION } from './description.js';
import { ArenaCore } from './kernel/core.js';
import { geometryOf } from './kernel/geometry.js';
import { Pages } from './kernel/pages.js';
import { ArenaPart } from './kernel/part.js';
import { RELEASES } from './kernel/releases.js';
import { Window } from './kernel/window.js';
import { Word, wordsOver } from './kernel/words.js';
import { type AttachArenaOptions, type CheckedOptions, checkedAttachOptions } from './options.js';
import { ArenaRegions } from './user/regions.js';

/** An arena over its parts, known to the threads of its kernel. */
export function arenaOf(
  core: ArenaCore,
  options: Pick<CheckedOptions, 'release' | 'report'>,
  number: number | null,
): Arena {
  const regions = new ArenaRegions(core);
  const arena = new Arena(core, regions, options);
  const { sharing } = core;
  if (sharing === null) return arena;
  const { threads } = sharing;
  const name = number ?? threads.numberOf(arena);
  const { object, operations } = regions;
  registerRegionKind(threads, name, { object, operations });
  const part = new ArenaPart(core, sharing, name);
  threads.addPart(part);
  core.onEnd = () => threads.removePart(part);
  return arena;
}

/**
 * Makes the arena of another thread in this one: the same pages, slots and addresses. What one thread does, all see.
 *
 * A thread that attaches it a second time gets the object that it has.
 *
 * @param kernel - this thread's object of the arena's kernel: `attach` of `@vmarea/core` made it.
 * @param description - what `Arena.share` returned in another thread, as `postMessage` or `workerData` brought it.
 * @param options - this thread's own functions.
 * @throws VmError `EINVAL` for what is no description, for another kernel, for an arena that was destroyed, and for an invalid option.
 * @example
 * ```ts
 * const { kernel, threads } = attach(workerData.parts, { formats: [x8664()], policies: [x8664Linux()], loops: wasmLoops });
 * const arena = attachArena(kernel, workerData.arena);
 * const page = arena.allocPages(null, 1);
 * threads.quiesce();
 * ```
 */
export function attachArena(
  kernel: AddressSpace,
  description: ArenaDescription,
  options?: AttachArenaOptions,
): Arena {
  if (!(kernel instanceof AddressSpace) || kernel.threads === null)
    throw new VmError('EINVAL', 'attachArena() needs an AddressSpace of several threads', {
      advice: 'pass the kernel that attach() of @vmarea/core returned',
    });
  const own = checkedAttachOptions(options);
  requireDescription(kernel, description);
  return kernel.threads.keep(description.number, () => adopt(kernel, description, own));
}

function requireDescription(kernel: AddressSpace, description: ArenaDescription): void {
  if (description?.version !== DESCRIPTION_VERSION || RELEASES[description.release] === undefined)
    throw new VmError('EINVAL', 'attachArena() needs a description of an arena', {
      advice: 'pass what share() of an arena of the same version returned, through postMessage or workerData',
    });
  if (description.root !== kernel.table.root)
    throw new VmError('EINVAL', 'the arena belongs to another kernel');
  if (new Int32Array(description.state)[Word.destroyed] !== 0)
    throw new VmError('EINVAL', 'the arena was destroyed');
}

function adopt(kernel: AddressSpace, description: ArenaDescription, own: AttachArenaOptions): Arena {
  const { number, state, area: address, release, ...rest } = description;
  const area = kernel.findVmArea(address);
  if (area === null) throw new VmError('EINVAL', 'the arena has no area in this kernel', { address });
  const rules = RELEASES[release];
  const geometry = geometryOf(kernel.table.format.pageShift);
  const { allocFailure, interleave, report } = own;
  const core = new ArenaCore({
    ...rest,
    ...{ kernel, rules, geometry, allocFailure, interleave },
    window: new Window(kernel, area, geometry),
    pages: new Pages(kernel.memory, kernel.ram),
    words: wordsOver(state, rules, rest.maxEntries),
  });
  return arenaOf(core, { release, report }, number);
}
