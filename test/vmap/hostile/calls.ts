import {
  AddressSpace,
  type Slot,
  VM_ALLOC,
  VM_ALLOW_HUGE_VMAP,
  VM_DMA_COHERENT,
  VM_FLUSH_RESET_PERMS,
  VM_IOREMAP,
  VM_MAP,
  VM_MAP_PUT_PAGES,
  VM_NO_GUARD,
  VM_SPARSE,
  VM_USERMAP,
} from '@vmarea/core';
import type { Arguments } from './arguments.js';
import type { Ledger } from './ledger.js';
import type { Lists } from './lists.js';
import type { Kind } from './model.js';
import type { World } from './world.js';

/** One call, ready to be made. */
export interface Attempt {
  readonly run: () => unknown;
  /** Enters what it did, when it succeeds. */
  readonly settle?: (result: unknown) => void;
  /** First address of what it frees: gone all the same when a sink throws. */
  readonly frees?: unknown;
  /** It writes on its way and takes back: counters may move when it is refused. */
  readonly writesFirst?: boolean;
}

/** Makes an attempt from random arguments. */
export type Call = () => Attempt;

const ANY: readonly Kind[] = ['area', 'vmalloc', 'vmap', 'device', 'percpu', 'lazy', 'array', 'ram'];

/** One entry for each public member of `AddressSpace` that is called, and for its constructor. */
export function callsOf(world: World, args: Arguments, lists: Lists, ledger: Ledger): Record<string, Call> {
  const { kernel, dice, page, pages, pageShift, options } = world;
  const { window } = options.linux;
  const caller = () => args.options({ caller: 'hostile+0x1/0x2' });
  const vmallocOptions = () =>
    args.options({ caller: 'hostile', zero: dice.oneIn(2), mayPurge: !dice.oneIn(3) });
  /** A call that frees what begins at an address. */
  const freeing = (address: bigint, run: () => unknown, settle: (address: unknown) => unknown): Attempt => ({
    ...{ run, frees: address, settle: () => void (address !== 0n && settle(address)) },
  });
  const vmalloc = (size: unknown, run: () => unknown): Attempt => ({
    ...{ run, settle: (address) => ledger.vmalloc(address, size) },
  });
  /** A request read by hostile code is not the same at each look: then only the area itself says its size. */
  const plain = (request: unknown, member: string): unknown => {
    const all = Object.getOwnPropertyDescriptor(Object(request), member);
    return all !== undefined && 'value' in all ? all.value : null;
  };
  const windows = () =>
    dice.of<() => unknown>([
      () => ({ ...window }),
      () => args.hostile({ ...window }),
      () => ({ start: args.address(), end: args.address() }),
      () => args.hostile({ start: window.start, end: window.start + 64n * pages }),
    ])();
  const setMemory = (name: 'setMemoryRo' | 'setMemoryRw' | 'setMemoryX' | 'setMemoryNx'): Attempt => {
    const { start, pages: count } = args.range(...ANY);
    const address = args.or(16, () => start);
    const some = args.or(10, () => count);
    return { run: () => kernel[name](address, some), writesFirst: true };
  };
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
  const remap = (isPartial: boolean): Attempt => {
    const { start, pages: count } = args.range('vmalloc', 'area');
    const { user } = world;
    const whole = args.options({
      ...user,
      end: user.start + BigInt(count) * pages,
      protection: args.protection(),
    });
    const range = dice.oneIn(12)
      ? (args.options({ ...user, table: dice.of([kernel.table, { map() {}, format: {} }]) }) as never)
      : whole;
    const pgoff = args.count(2);
    const at = args.or(10, () => user.start);
    const size = args.or(10, () => count * page);
    const settle = () => void user.table.unmap(user.start, user.end - user.start);
    if (isPartial)
      return { run: () => kernel.remapVmallocRangePartial(range, at, start, pgoff, size), settle };
    return { run: () => kernel.remapVmallocRange(range, start, pgoff), settle };
  };
  const handle = () => args.or(10, () => world.someHandle());

  return {
    constructor: () => {
      const before = world.frames.stats().allocated;
      const own = { ...options, ram: world.ram };
      const wrong = dice.of([
        'format',
        'linux',
        'memory',
        'frames',
        'ram',
        'totalRamPages',
        'root',
        'release',
        'sink',
        'cpus',
        'blockPages',
        'autoPurge',
        'early',
        'directMap',
      ]);
      let value = dice.oneIn(3)
        ? dice.of<unknown>([
            { base: 1n },
            { base: window.start },
            { base: 5 },
            [{ address: 0n, bytes: 4096n }],
            [null],
            [{ address: window.start, bytes: 1n, flags: -1 }],
            1,
            100,
          ])
        : args.wrong();
      // To open live tables once more is no mistake that could be told.
      if (wrong === 'root' && typeof value === 'bigint') value = 1n;
      const given = args.options({ ...own, [wrong]: value });

      return {
        run: () => new AddressSpace(given),
        settle: (space: unknown) => {
          world.mayThrowInSink = false;
          (space as AddressSpace).destroy();
          if (world.frames.stats().allocated !== before)
            throw new Error('a space that was destroyed keeps frames');
        },
        // It writes its root, in tables of its own.
        writesFirst: true,
      };
    },
    table: () => ({
      run: () =>
        dice.of([
          () => kernel.table.unmap(args.address(), page),
          () => kernel.table.walk(args.address()),
          () => kernel.table.destroy(),
        ])(),
    }),
    linux: () => ({ run: () => kernel.linux }),
    root: () => ({ run: () => kernel.root }),
    counters: () => ({ run: () => Object.assign(kernel.counters, { entriesWritten: 0 }) }),
    cpu: () => ({
      run: () => {
        kernel.cpu = args.or(2, () => dice.below(4));
      },
    }),
    stats: () => ({ run: () => kernel.stats() }),
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
    vmallocToPage: () => ({ run: () => kernel.vmallocToPage(args.or(8, () => args.address())) }),
    vmallocToPfn: () => ({ run: () => kernel.vmallocToPfn(args.or(8, () => args.address())) }),
    isVmallocAddr: () => ({ run: () => kernel.isVmallocAddr(args.or(8, () => args.address())) }),
    isVmAreaHugepages: () => ({ run: () => kernel.isVmAreaHugepages(args.or(8, () => args.address())) }),
    vread: () => {
      const into = args.or(8, () =>
        dice.of<() => unknown>([
          () => new Uint8Array(dice.below(9000)),
          () => Buffer.alloc(5),
          () => new Proxy(new Uint8Array(9), {}),
          () => Object.create(Uint8Array.prototype),
          () => Object.defineProperty(new Uint8Array(4), 'length', { value: 99 }),
        ])(),
      );
      return {
        run: () =>
          kernel.vread(
            args.or(16, () => args.address()),
            into as never,
          ),
      };
    },
    walk: () => ({ run: () => kernel.walk(args.or(8, () => args.address())) }),
    vmallocinfo: () => ({ run: () => kernel.vmallocinfo(args.options({ detail: dice.oneIn(2) })) }),
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
      // Hostile options may have lost what was given.
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
        (address) => ledger.freed(address, ['ram']),
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
    shrinkPools: () => ({ run: () => kernel.shrinkPools() }),
    destroy: () => ({
      run: () => {
        try {
          kernel.destroy();
        } finally {
          world.isGone = world.isDestroyed();
        }
      },
    }),
    ...areaCalls(),
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

  /** The calls of handles: `VmArea` and `LazyArea`. */
  function areaCalls(): Record<string, Call> {
    const area = () => world.someArea();
    const most = (one: { readonly pages: number }) => Math.min(one.pages, 3000);
    const lazy = () => world.someLazy();
    return {
      'VmArea.map': () => {
        const one = area();
        const { list, count } = lists.of(1 + dice.below(6));
        const first = args.count(most(one));
        const [frames, protection] = [
          dice.oneIn(3) ? args.or(4, () => dice.below(2 ** 21)) : list,
          dice.oneIn(3) ? undefined : args.protection(),
        ];
        void count;
        return { run: () => one.map(first, frames, protection) };
      },
      'VmArea.unmap': () => {
        const one = area();
        const [first, count] = [args.count(most(one)), args.count(4)];
        return { run: () => one.unmap(first, count) };
      },
      'VmArea.protect': () => {
        const one = area();
        const [first, count] = [args.count(most(one)), args.count(4)];
        const fields = args.options(
          dice.of<object>([{ write: false }, { write: true }, { execute: true }, { accessed: false }, {}]),
        );
        return { run: () => one.protect(first, count, fields) };
      },
      'VmArea.frameAt': () => {
        const one = area();
        return { run: () => one.frameAt(args.count(most(one))) };
      },
      'VmArea.prepare': () => {
        const one = area();
        return dice.oneIn(3)
          ? { run: () => one.prepare() }
          : { run: () => one.prepare(args.count(most(one)), args.count(9)) };
      },
      'VmArea.populated': () => {
        const one = area();
        return { run: () => one.populated() };
      },
      'VmArea.ownedFrames': () => {
        const one = area();
        return { run: () => one.ownedFrames().fill(0) };
      },
      'VmArea.members': () => {
        const one = area();
        return {
          run: () => [
            one.addr,
            one.size,
            one.bytes,
            one.pages,
            one.flags,
            one.requestedBytes,
            one.ownedPages,
            one.pageOrder,
            one.physical,
            one.caller,
            one.isLive,
          ],
        };
      },
      ...Object.fromEntries(
        (['touch', 'populate', 'prepare', 'shrink'] as const).map((name): [string, Call] => [
          `LazyArea.${name}`,
          () => {
            const one = lazy();
            if (one === null) return { run: () => undefined };
            const [first, count] = [args.count(most(one.area)), args.count(8)];
            if (name !== 'touch' && dice.oneIn(6)) return { run: () => one[name]() };
            return { run: () => (one[name] as (...pages: number[]) => unknown).call(one, first, count) };
          },
        ]),
      ),
      'LazyArea.members': () => ({ run: () => Object.assign(lazy()?.stats ?? {}, { populated: 5 }) }),
    };
  }
}
