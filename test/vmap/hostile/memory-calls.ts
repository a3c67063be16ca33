import {
  type Region,
  RegionObject,
  VM_ALLOW_HUGE_VMAP,
  VM_FLUSH_RESET_PERMS,
  VM_NO_GUARD,
  VM_SPARSE,
  VM_USERMAP,
  VmError,
} from '@vmarea/core';
import { ANY, type Attempt, type Call, type Kit } from './kit.js';

/** Memory, its permissions, its users, and short mappings. */
export function memoryCalls({
  world,
  args,
  lists,
  ledger,
  caller,
  vmallocOptions,
  freeing,
  plain,
  windows,
  handle,
}: Kit): Record<string, Call> {
  const { kernel, dice, page, pages, pageShift, options } = world;
  const vmalloc = (size: unknown, run: () => unknown): Attempt => ({
    ...{ run, settle: (address) => ledger.vmalloc(address, size) },
  });
  const setMemory = (name: 'setMemoryRo' | 'setMemoryRw' | 'setMemoryX' | 'setMemoryNx'): Attempt => {
    const { start, pages: count } = args.range(...ANY);
    const address = args.or(16, () => start);
    const some = args.or(10, () => count);
    return { run: () => kernel[name](address, some), writesFirst: true };
  };
  const remap = (isPartial: boolean): Attempt => {
    const { start, pages: count } = args.range('vmalloc', 'area');
    const wrong = dice.oneIn(12) ? dice.of<unknown>([kernel.table, { start: 0n, end: 4096n }, null]) : null;
    const pgoff = args.count(2);
    const address = BigInt(2 ** 32);
    const at = args.or(10, () => address);
    const size = args.or(10, () => count * page);
    // The process lives during the call alone: while there is one, the kernel cannot be destroyed.
    const run = () => {
      const user = world.makeUser();
      try {
        const whole = { length: BigInt(count) * pages, address, fixed: 'noReplace', shared: true } as const;
        user.mmap({ ...whole, object: new RegionObject(), read: true, write: true });
        const region = (wrong ?? user.findRegion(address)) as Region;
        if (isPartial) kernel.remapVmallocRangePartial(region, at, start, pgoff, size);
        else kernel.remapVmallocRange(region, start, pgoff);
      } finally {
        user.destroy();
      }
    };
    // The first process since a leaf came into the kernel's root splits it. In a call of the kernel there is none.
    const { mayThrowInSink } = world;
    world.mayThrowInSink = false;
    try {
      world.makeUser().destroy();
    } catch (error) {
      if (!(error instanceof VmError)) throw error;
    } finally {
      world.mayThrowInSink = mayThrowInSink;
    }
    return { run, makesRoot: true };
  };

  return {
    vmalloc: () => {
      const [size, given] = [args.size(), vmallocOptions()];
      return vmalloc(size, () => kernel.vmalloc(size, given));
    },
    vzalloc: () => {
      const [size, given] = [args.size(), vmallocOptions()];
      return vmalloc(size, () => kernel.vzalloc(size, given));
    },
    vmallocUser: () => {
      const [size, given] = [args.size(), vmallocOptions()];
      return vmalloc(size, () => kernel.vmallocUser(size, given));
    },
    vmallocHuge: () => {
      const size = dice.oneIn(2)
        ? args.size()
        : dice.of([1, 2]) * 2 ** dice.of(options.linux.leaves.vmalloc as number[]);
      const given = vmallocOptions();
      return vmalloc(size, () => kernel.vmallocHuge(size, given));
    },
    vmallocNodeRange: () => {
      const request = args.options({
        size: args.size(),
        align: args.or(10, () => dice.of([1n, 2n * pages, 1n << 21n])),
        protection: args.protection(),
        flags: args.flags(0, VM_ALLOW_HUGE_VMAP, VM_USERMAP, VM_NO_GUARD, VM_FLUSH_RESET_PERMS, VM_SPARSE),
        ...(dice.oneIn(4) ? { window: windows() } : {}),
      });
      return vmalloc(plain(request, 'size'), () => kernel.vmallocNodeRange(request));
    },
    vrealloc: () => {
      const address = dice.oneIn(8) ? 0n : args.start('vmalloc');
      const size = dice.oneIn(16) ? dice.of([0, 0n]) : args.size();
      const given = args.options({ zero: dice.oneIn(2), align: dice.of([1n, pages, 1n << 30n]) });
      return {
        run: () => kernel.vrealloc(address, size, given),
        frees: address,
        settle: (result) => {
          if (result === address && address !== 0n) return void world.regrown(address);
          if (address !== 0n) ledger.freed(address);
          if (result !== 0n) ledger.vmalloc(result, size);
        },
      };
    },
    vfree: () => {
      const start = args.or(16, () => args.start('vmalloc', 'vmap', 'lazy', 'array'));
      return freeing(
        start,
        () => kernel.vfree(start),
        (address) => ledger.freed(address),
      );
    },
    getLazyArea: () => {
      const size = dice.oneIn(4) ? args.size() : (1 + dice.below(40)) * page;
      const shift = args.or(8, () => dice.of([pageShift, pageShift, pageShift + 1, 21]));
      const isGiven = dice.oneIn(3);
      const given = args.options({
        chunkShift: shift,
        protection: args.protection(),
        ...(dice.oneIn(4) ? { limit: args.size() } : {}),
        ...(isGiven
          ? {
              populate: args.callback((...[, count]: number[]) => lists.of(count ?? 1).list),
              release: args.callback(() => undefined, 'sink'),
            }
          : {}),
      });
      // With hostile options the given frames may be lost.
      const found = Object.getOwnPropertyDescriptor(Object(given), 'populate');
      const isFromCaller = found !== undefined && (found.get !== undefined || found.value !== undefined);
      return {
        run: () => kernel.getLazyArea(size, given),
        settle: (lazy) =>
          void ledger.area('lazy', (lazy as { area: never }).area, null, lazy as never, !isFromCaller),
      };
    },
    handleFault: () => ({
      run: () => kernel.handleFault(args.or(8, () => (dice.oneIn(2) ? args.start('lazy') : args.address()))),
    }),
    vmMapRam: () => {
      const { list, count } = lists.of(1 + dice.below(dice.of([3, 9, 70])));
      return { run: () => kernel.vmMapRam(list), settle: (address) => ledger.ram(address, count) };
    },
    vmUnmapRam: () => {
      const start = args.or(16, () => args.start('ram'));
      const known = typeof start === 'bigint' ? world.model.at(start) : undefined;
      const count = dice.oneIn(6) ? args.count(3) : Number((known?.bytes ?? 0n) / pages);
      return freeing(
        start,
        () => kernel.vmUnmapRam(start, count),
        (address) => ledger.ramFreed(address, count),
      );
    },
    vmUnmapAliases: () => ({ run: () => kernel.vmUnmapAliases() }),
    setVmFlushResetPerms: () => ({
      run: () => kernel.setVmFlushResetPerms(args.or(8, () => args.start('vmalloc'))),
    }),
    setMemoryRo: () => setMemory('setMemoryRo'),
    setMemoryRw: () => setMemory('setMemoryRw'),
    setMemoryX: () => setMemory('setMemoryX'),
    setMemoryNx: () => setMemory('setMemoryNx'),
    remapVmallocRange: () => remap(false),
    remapVmallocRangePartial: () => remap(true),
    pcpuGetVmAreas: () => {
      const few = 1 + dice.below(3);
      const sizes = Array.from({ length: few }, () => args.or(20, () => (1 + dice.below(4)) * page));
      const offsets = Array.from({ length: few }, (_, i) => args.or(20, () => 8 * i * page));
      const list = (numbers: number[]) =>
        args.or(10, () => (dice.oneIn(4) ? lists.hostile(numbers) : numbers));
      const [first, second] = [list(offsets), list(sizes)];
      const align = args.or(10, () => pages);
      const given = caller();
      return {
        run: () => kernel.pcpuGetVmAreas(first, second, align, given),
        settle: (areas) => {
          for (const one of areas as never[]) ledger.area('percpu', one, null);
        },
      };
    },
    pcpuFreeVmAreas: () => {
      const some = world.model
        .of('percpu', 'area')
        .filter(() => dice.oneIn(3))
        .map((one) => one.handle);
      const areas = args.or(8, () => (dice.oneIn(4) ? lists.hostile([...some, handle()]) : some));
      // A hostile list may name others, too.
      const starts = world.model.of('area', 'percpu', 'vmap', 'device', 'lazy').map(({ start }) => start);
      return {
        run: () => kernel.pcpuFreeVmAreas(areas as never),
        settle: () => world.settleFreed(starts),
        frees: starts,
      };
    },
  };
}
