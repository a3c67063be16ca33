import {
  type Slot,
  VM_ALLOC,
  VM_DMA_COHERENT,
  VM_FLUSH_RESET_PERMS,
  VM_IOREMAP,
  VM_MAP,
  VM_MAP_PUT_PAGES,
  VM_NO_GUARD,
  VM_SPARSE,
  VM_USERMAP,
} from '@vmarea/core';
import type { Attempt, Call, Kit } from './kit.js';
import { ANY } from './kit.js';

/** Areas, and what is mapped into them. */
export function mapCalls({
  world,
  args,
  lists,
  ledger,
  caller,
  freeing,
  plain,
  windows,
  handle,
}: Kit): Record<string, Call> {
  const { kernel, dice, page, pages, pageShift } = world;
  const visiting = (name: 'applyToPageRange' | 'applyToExistingPageRange'): Attempt => {
    const { start, pages: count } = args.range('area', 'vmap', 'vmalloc', 'lazy');
    const size = args.or(10, () => count * page);
    const protection = args.protection();
    const visit = args.callback((slot: Slot) => {
      if (dice.oneIn(3))
        slot.setLeaf(
          args.or(6, () => 9 + dice.below(99)),
          protection,
        );
      if (dice.oneIn(3)) slot.set(dice.oneIn(3) ? dice.below(2 ** 31) : 0, 0);
      return undefined;
    });
    return { run: () => kernel[name](start, size, visit), writesFirst: true };
  };

  return {
    getVmArea: () => {
      const size = args.size();
      const flags = args.flags(
        0,
        VM_SPARSE,
        VM_SPARSE,
        VM_IOREMAP,
        VM_USERMAP,
        VM_NO_GUARD,
        VM_MAP,
        VM_ALLOC,
      );
      const given = caller();
      return {
        run: () => kernel.getVmArea(size, flags, given),
        settle: (area) => void ledger.area('area', area as never, ledger.rounded(size)),
      };
    },
    getVmAreaNode: () => {
      const request = args.options({
        size: args.size(),
        flags: args.flags(0, VM_SPARSE, VM_SPARSE | VM_USERMAP, VM_IOREMAP, VM_DMA_COHERENT),
        align: args.or(10, () => dice.of([1n, pages, 4n * pages, 1n << 21n, 1n << 40n, 3n])),
        shift: args.or(10, () => dice.of([pageShift, pageShift, pageShift + 1, 21, 62, 63])),
        ...(dice.oneIn(3) ? { window: windows() } : {}),
      });
      const size = plain(request, 'size');
      const shift = plain(request, 'shift');
      return {
        run: () => kernel.getVmAreaNode(request),
        settle: (area) =>
          void ledger.area(
            'area',
            area as never,
            size === null || shift === null ? null : ledger.rounded(size, shift),
          ),
      };
    },
    freeVmArea: () => {
      const area = handle();
      const start = world.startOf(area);
      return {
        run: () => kernel.freeVmArea(area as never),
        frees: start,
        settle: () => ledger.unmapped(start),
      };
    },
    removeVmArea: () => {
      const start = args.start('area', 'vmalloc', 'vmap', 'percpu', 'lazy');
      return freeing(
        start,
        () => kernel.removeVmArea(start),
        (address) => ledger.removed(address),
      );
    },
    findLazyArea: () => ({ run: () => kernel.findLazyArea(args.or(8, () => args.address())) }),
    findVmArea: () => ({ run: () => kernel.findVmArea(args.or(8, () => args.address())) }),
    getVmAreaSize: () => ({ run: () => kernel.getVmAreaSize(handle() as never) }),
    vmap: () => {
      const isGiving = dice.oneIn(3);
      const { list, count } = lists.of(1 + dice.below(dice.of([4, 8, 8, 600])));
      const flags = isGiving
        ? VM_MAP | VM_MAP_PUT_PAGES
        : args.flags(0, VM_MAP, VM_MAP | VM_USERMAP, VM_NO_GUARD, VM_FLUSH_RESET_PERMS);
      const [protection, given] = [args.protection(), caller()];
      return {
        run: () => kernel.vmap(list, flags, protection, given),
        settle: (address) => {
          ledger.handedOver(ledger.address('vmap', address, [BigInt(count) * pages]));
        },
      };
    },
    vmapPfn: () => {
      const { list, count } = lists.of(1 + dice.below(8));
      const [protection, given] = [args.protection(), caller()];
      return {
        run: () => kernel.vmapPfn(list, protection, given),
        settle: (address) => void ledger.address('vmap', address, [BigInt(count) * pages]),
      };
    },
    vunmap: () => {
      const start = args.or(16, () => args.start('vmap', 'area', 'device'));
      return freeing(
        start,
        () => kernel.vunmap(start),
        (address) => ledger.unmapped(address),
      );
    },
    vmapPagesRange: () => {
      const { start, end, pages: count } = args.range('area', 'vmap', 'vmalloc');
      const { list } = lists.of(count);
      const protection = args.protection();
      const shift = args.or(8, () => dice.of([pageShift, pageShift, pageShift, 21, pageShift + 1]));
      return {
        run: () =>
          kernel.vmapPagesRange(
            start,
            args.or(16, () => end),
            protection,
            list,
            shift,
          ),
      };
    },
    vunmapRange: () => {
      const { start, end } = args.range(...ANY);
      return {
        run: () =>
          kernel.vunmapRange(
            start,
            args.or(16, () => end),
          ),
      };
    },
    vmAreaMapPages: () => {
      const { start, end, pages: count } = args.range('area');
      const area = dice.oneIn(4) ? handle() : world.handleAt(start);
      const { list } = lists.of(count);
      return {
        run: () =>
          kernel.vmAreaMapPages(
            area as never,
            start,
            args.or(16, () => end),
            list,
          ),
      };
    },
    vmAreaUnmapPages: () => {
      const { start, end } = args.range('area');
      const area = dice.oneIn(4) ? handle() : world.handleAt(start);
      return {
        run: () =>
          kernel.vmAreaUnmapPages(
            area as never,
            start,
            args.or(16, () => end),
          ),
      };
    },
    applyToPageRange: () => visiting('applyToPageRange'),
    applyToExistingPageRange: () => visiting('applyToExistingPageRange'),
    ioremapPageRange: () => {
      const { start, end } = args.range('area', 'device');
      const all = dice.oneIn(2) ? world.handleAt(start) : null;
      const protection = args.protection();
      const physical = args.or(8, () => BigInt(dice.below(64)) * pages);
      return all === null
        ? { run: () => kernel.ioremapPageRange(start, end, physical, protection) }
        : { run: () => kernel.ioremapPageRange(all.addr, all.addr + all.bytes, physical, protection) };
    },
    vmapPageRange: () => {
      const { start, end } = args.range('area', 'vmap');
      const physical = args.or(8, () => BigInt(dice.below(2048)) * pages);
      return { run: () => kernel.vmapPageRange(start, end, physical, args.protection()) };
    },
    ioremap: () => device((physical, size, given) => kernel.ioremap(physical, size, given)),
    ioremapProt: () => {
      const protection = args.protection();
      return device((physical, size, given) => kernel.ioremapProt(physical, size, protection, given));
    },
    iounmap: () => {
      const start = args.or(16, () => args.start('device', 'area') + BigInt(dice.of([0, 0, 8])));
      const at = typeof start === 'bigint' ? start - BigInt.asUintN(pageShift, start) : start;
      return freeing(
        at,
        () => kernel.iounmap(start),
        (address) => ledger.unmapped(address),
      );
    },
  };

  function device(call: (physical: bigint, size: never, given: never) => bigint): Attempt {
    const offset = dice.of([0n, 0n, 16n, pages - 1n]);
    const physical = args.or(
      8,
      () =>
        dice.of([1n << 38n, 1n << 36n, BigInt(world.ram.first) * pages, (1n << 48n) - pages, 1n << 60n]) +
        offset,
    );
    const size = dice.oneIn(4) ? args.size() : dice.of([1, page, 3 * page, 2 ** 21, 2 ** 30]);
    const given = caller();
    return {
      run: () => call(physical, size as never, given),
      settle: (address) => {
        const first = (address as bigint) - BigInt.asUintN(pageShift, address as bigint);
        const expected =
          typeof physical === 'bigint' && typeof size !== 'object'
            ? ledger.rounded(BigInt(size) + BigInt.asUintN(pageShift, physical))
            : null;
        ledger.address('device', first, expected);
      },
    };
  }
}
