import { type AddressWindow, hullOf } from '../../area/page-units.js';
import { eachStretch, type FrameArray } from '../../check/frames.js';
import { listOf } from '../../space/frame-owners.js';
import { runOf } from '../../table/show/leaf-sizes.js';
import type { VmStruct } from '../areas/vm-struct.js';
import type { KernelSpace } from '../kernel-space.js';
import { apart, cutAtEnds } from './cut-ends.js';

/** What `vfree` does with the direct map's entries of a VM_FLUSH_RESET_PERMS area. */
export interface DirectAlias {
  /** Purges, with one flush that also covers the aliases. No old translation is left afterwards. */
  flush(): void;
  /** Gives the aliases their usual permissions. */
  putBack(): void;
}

/** The parts of the direct map that map an area's frames. */
function aliasesOf({ directMap }: KernelSpace, frames: FrameArray): AddressWindow[] {
  const aliases: (AddressWindow | null)[] = [];
  eachStretch(frames, (first, count) => aliases.push(directMap?.aliasOf(first, count) ?? null));
  return aliases.filter((alias) => alias !== null);
}

/**
 * Removes the aliases of an area's frames, as vm_reset_perms does.
 *
 * @throws VmError `ENOMEM` when a block of the direct map must be split and there is no frame. Nothing is
 *   then changed.
 */
export function takeAliasAway(space: KernelSpace, vm: VmStruct): DirectAlias {
  const { table, blocks, format, linux } = space;
  const aliases = apart(vm.owned === null ? [] : aliasesOf(space, listOf(vm.owned)));
  // All splits come first: they may need memory, and change no translation.
  cutAtEnds(space, aliases);
  // They are put back with the same leaves, which needs neither memory nor a flush.
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
