import type { Call, Kit } from './kit.js';

/** The calls of handles: `VmArea` and `LazyArea`. */
export function handleCalls({ world, args, lists }: Kit): Record<string, Call> {
  const { dice } = world;
  const area = () => world.someArea();
  const most = (one: { readonly pages: number }) => Math.min(one.pages, 3000);
  const lazy = () => world.someLazy();
  return {
    'VmArea.map': () => {
      const one = area();
      const { list } = lists.of(1 + dice.below(6));
      const first = args.count(most(one));
      const [frames, protection] = [
        dice.oneIn(3) ? args.or(4, () => dice.below(2 ** 21)) : list,
        dice.oneIn(3) ? undefined : args.protection(),
      ];
      return { run: () => one.map(first, frames, protection) };
    },
    'VmArea.unmap': () => {
      const one = area();
      const [first, count] = [args.count(most(one)), args.count(4)];
      return { run: () => one.unmap(first, count) };
    },
    'VmArea.unmapNoflush': () => {
      const one = area();
      const [first, count] = [args.count(most(one)), args.count(4)];
      // A program that leaves a flush to itself makes it.
      return {
        run: () => {
          one.unmapNoflush(first, count);
          one.flush(first, count);
        },
      };
    },
    'VmArea.flush': () => {
      const one = area();
      const [first, count] = [args.count(most(one)), args.count(4)];
      return { run: () => one.flush(first, count) };
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
    'VmArea.requireIdle': () => {
      const one = area();
      return { run: () => one.requireIdle() };
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
