import { AddressSpace } from '@vmarea/core';
import { handleCalls } from './handle-calls.js';
import type { Call, Kit } from './kit.js';
import { mapCalls } from './map-calls.js';
import { memoryCalls } from './memory-calls.js';

/** One entry for each public member of `AddressSpace` that is called, for its constructor, and for those of its handles. */
export function callsOf(kit: Kit): Record<string, Call> {
  const { world, args } = kit;
  const { kernel, dice, page, options } = world;
  const { window } = options.linux;
  return {
    constructor: () => {
      const [before, changes] = [world.frames.stats().allocated, world.changes];
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
      // Opening live tables again is a mistake that nothing can detect.
      if (wrong === 'root' && typeof value === 'bigint') value = 1n;
      const given = args.options({ ...own, [wrong]: value });

      return {
        run: () => new AddressSpace(given),
        settle: (space: unknown) => {
          world.mayThrowInSink = false;
          (space as AddressSpace).destroy();
          // This holds unless a getter in the options changed something.
          if (world.changes === changes && world.frames.stats().allocated !== before)
            throw new Error('a space that was destroyed keeps frames');
        },
        // It writes its root, in tables of its own.
        writesFirst: true,
        makesRoot: true,
      };
    },
    table: () => ({
      run: () =>
        dice.of([
          () => kernel.table.walk(args.address()),
          () => kernel.table.translate(args.address()),
          () => [...kernel.table.leaves(args.address(), page)],
        ])(),
    }),
    memory: () => ({ run: () => kernel.memory }),
    ram: () => ({ run: () => kernel.ram }),
    isShared: () => ({ run: () => kernel.isShared }),
    threads: () => ({ run: () => kernel.threads }),
    addSink: () => {
      const sink = args.or(4, () => ({ flush: () => {} }));
      // It is told of the calls between its beginning and its end.
      return { run: () => kernel.addSink(sink as never)() };
    },
    linux: () => ({ run: () => kernel.linux }),
    counters: () => ({ run: () => Object.assign(kernel.counters, { entriesWritten: 0 }) }),
    cpu: () => ({
      run: () => {
        kernel.cpu = args.or(2, () => dice.below(4));
      },
    }),
    stats: () => ({ run: () => kernel.stats() }),
    ...mapCalls(kit),
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
    vmallocinfo: () => ({ run: () => kernel.vmallocinfo(args.options({ detail: dice.oneIn(2) })) }),
    ...memoryCalls(kit),
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
    ...handleCalls(kit),
  };
}
