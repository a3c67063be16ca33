import { type AddressWindow, hullOf } from '../../area/page-units.js';
import { eachStretch, type FrameArray } from '../../check/frames.js';
import { listOf } from '../../space/frame-owners.js';
import { runOf } from '../../table/show/leaf-sizes.js';
import type { VmStruct } from '../areas/vm-struct.js';
import type { KernelSpace } from '../kernel-space.js';
import { apart, cutAtEnds } from './cut-ends.js';

/** What `vfree` does with the direct map's entries of an area that asks for VM_FLUSH_RESET_PERMS. */
export interface DirectAlias {
  /** Purges, with one flush over the aliases too: nobody has an old translation afterwards. */
  flush(): void;
  /** Gives the aliases their usual permissions. */
  putBack(): void;
}

/** Stretches of the direct map that show an area's frames. */
function aliasesOf({ directMap }: KernelSpace, frames: FrameArray): AddressWindow[] {
  const aliases: (AddressWindow | null)[] = [];
  eachStretch(frames, (first, count) => aliases.push(directMap?.aliasOf(first, count) ?? null));
  return aliases.filter((alias) => alias !== null);
}

/**
 * Takes the aliases of an area's frames away, as vm_reset_perms does.
 *
 * @throws VmError `ENOMEM` when a block of the direct map must be split and there is no frame: nothing is then changed.
 */
export function takeAliasAway(space: KernelSpace, vm: VmStruct): DirectAlias {
  const { table, blocks, format, linux } = space;
  const aliases = apart(vm.owned === null ? [] : aliasesOf(space, listOf(vm.owned)));
  // First all cuts: they may need memory, and change no translation.
  cutAtEnds(space, aliases);
  // As they are put back: by the same leaves, which needs neither memory nor a flush.
  const leaves = aliases.flatMap(({ start, end }) => [...table.leaves(start, end - start)]);
  for (const { start, end } of aliases) space.unmapLazily(start, end - start);
  return {
    flush: () => {
      let hull: AddressWindow | undefined;
      for (const alias of aliases) hull = hullOf(hull, alias);
      blocks.unmapAliases(hull);
    },
    putBack: () => {
      for (const { va, pa, count, leafShift, level, flags } of leaves) {
        const run = runOf(format, level, flags);
        const runShift = run === null ? 0 : leafShift + Math.log2(run.entries);
        table.mapRange(va, pa, BigInt(count) << BigInt(leafShift), linux.protections.PAGE_KERNEL, {
          maxLeafShift: Math.max(leafShift, runShift),
          maxRunShift: runShift,
        });
      }
    },
  };
}
