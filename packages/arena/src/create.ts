import { AddressSpace, VM_SPARSE, VM_USERMAP, type VmArea, VmError } from '@vmarea/core';
import type { Arena } from './arena.js';
import { BPF_F_MMAPABLE, BPF_F_NO_USER_CONV, BPF_F_SEGV_ON_FAULT } from './flags.js';
import { ArenaCore } from './kernel/core.js';
import { Failure } from './kernel/failure.js';
import { type Geometry, geometryOf, SPAN_BYTES } from './kernel/geometry.js';
import { Pages } from './kernel/pages.js';
import { RELEASES, type ReleaseRules } from './kernel/releases.js';
import { Window } from './kernel/window.js';
import { makeWords } from './kernel/words.js';
import { type ArenaOptions, type CheckedOptions, checkedOptions } from './options.js';
import { arenaOf } from './share.js';

/**
 * Makes an arena (BPF_MAP_CREATE with BPF_MAP_TYPE_ARENA): reserves its window of 4 GiB and two guards in the kernel's vmalloc
 * range.
 *
 * From `7.1` on, Linux makes the tables of the whole window at once: 2,050 tables or more with pages of 4 KiB. They come from `frames` of the
 * kernel.
 *
 * @param kernel - the kernel's address space. Its `ram` gives the pages.
 * @throws VmError in Linux's order: `EOPNOTSUPP` without support in the JIT; `EINVAL` for sizes, flags or no pages; `EINVAL` for a
 *   `mapExtra` inside a page; `E2BIG` beyond 4 GiB; `ERANGE` when the user range would cross a multiple of 4 GiB; `ENOMEM` for
 *   no window, no frame for the scratch page or for tables. Nothing is left behind.
 * @example
 * ```ts
 * const arena = createArena(kernel, { maxEntries: 1000, mapExtra: 1n << 44n });
 * const page = arena.allocPages(null, 1); // 1n << 44n
 * ```
 */
export function createArena(kernel: AddressSpace, options: ArenaOptions): Arena {
  if (!(kernel instanceof AddressSpace))
    throw new VmError('EINVAL', 'createArena() needs the kernel, an AddressSpace');
  const checked = checkedOptions(options);
  const rules = RELEASES[checked.release];
  const geometry = geometryOf(kernel.table.format.pageShift);
  checkAttributes(checked, geometry);
  const area = kernel.getVmArea(geometry.windowBytes, VM_SPARSE | VM_USERMAP, { caller: checked.caller });
  let core: ArenaCore | null = null;
  try {
    core = coreOf(kernel, area, checked, rules, geometry);
    return arenaOf(core, checked, null);
  } catch (error) {
    if (core !== null && core.scratch >= 0) core.pages.freeOne(core.scratch);
    kernel.freeVmArea(area);
    throw error;
  }
}

/** The checks of arena_map_alloc, in its order. */
function checkAttributes(checked: CheckedOptions, { pageBytes }: Geometry): void {
  const { maxEntries, mapExtra, flags, keySize, valueSize } = checked;
  if (!checked.jitSupportsArena) throw new VmError('EOPNOTSUPP', 'the JIT does not support arenas');
  if (keySize !== 0 || valueSize !== 0)
    throw new VmError('EINVAL', `an arena has no keys and values, but sizes ${keySize} and ${valueSize}`);
  if (maxEntries === 0) throw new VmError('EINVAL', 'maxEntries is 0, expected 1 page or more');
  const known = BPF_F_MMAPABLE | BPF_F_SEGV_ON_FAULT | BPF_F_NO_USER_CONV;
  if ((flags & BPF_F_MMAPABLE) === 0 || (flags & ~known) !== 0)
    throw new VmError('EINVAL', `flags are 0x${flags.toString(16)}`, {
      advice: 'pass BPF_F_MMAPABLE, and with it BPF_F_SEGV_ON_FAULT or BPF_F_NO_USER_CONV',
    });
  if (mapExtra % BigInt(pageBytes) !== 0n)
    throw new VmError('EINVAL', `mapExtra is not a multiple of the page size 0x${pageBytes.toString(16)}`, {
      address: mapExtra,
    });
  const bytes = maxEntries * pageBytes;
  if (bytes > SPAN_BYTES)
    throw new VmError('E2BIG', `${maxEntries} pages are more than 4 GiB`, {
      advice: `maxEntries may be ${SPAN_BYTES / pageBytes}`,
    });
  const last = BigInt.asUintN(64, mapExtra + BigInt(bytes) - 1n);
  if (mapExtra >> 32n !== last >> 32n)
    throw new VmError('ERANGE', `the user range would end at 0x${last.toString(16)}, in other 4 GiB`, {
      address: mapExtra,
      advice: 'the upper halves of all user addresses must be equal',
    });
}

/** The arena's parts, in Linux's order of making them. */
function coreOf(
  kernel: AddressSpace,
  area: VmArea,
  checked: CheckedOptions,
  rules: ReleaseRules,
  geometry: Geometry,
): ArenaCore {
  const { maxEntries, allocFailure, mapExtra } = checked;
  if (allocFailure?.('arena') === true) throw new VmError('ENOMEM', 'no memory for the arena');
  const core = new ArenaCore({
    ...checked,
    ...{ kernel, rules, geometry },
    window: new Window(kernel, area, geometry),
    pages: new Pages(kernel.memory, kernel.ram),
    words: makeWords(rules, maxEntries, kernel.isShared),
  });
  try {
    if (rules.hasScratch) {
      const frame = core.fails('page') ? -1 : core.pages.takeOne();
      if (frame < 0) throw new VmError('ENOMEM', `no frame for the scratch page: ${Failure.page.reason}`);
      core.pages.beginOne(frame);
      core.scratch = frame;
    }
    if (core.slots.setAvailable(0, maxEntries) !== 0) throw new VmError('ENOMEM', Failure.range.reason);
    if (mapExtra !== 0n) core.pin(mapExtra);
    prepare(area, rules, geometry);
    return core;
  } catch (error) {
    if (core.scratch >= 0) core.pages.freeOne(core.scratch);
    throw error;
  }
}

/** Makes tables in advance, so that a later call needs no memory for them (populate_pgtable_except_pte). */
function prepare(area: VmArea, rules: ReleaseRules, { guardPages, pageBytes }: Geometry): void {
  if (rules.prepares === 'nothing') return;
  area.prepare(guardPages, SPAN_BYTES / pageBytes + (rules.prepares === 'guard' ? guardPages : 0));
}
