import type { Live } from './model.js';
import { Planted } from './planted.js';
import type { World } from './world.js';

/** The values that plain JavaScript can pass: right ones, boundary values, and anything else. */
export class Arguments {
  readonly #world: World;
  readonly #addresses: readonly bigint[];

  constructor(world: World) {
    this.#world = world;
    const { window } = world.options.linux;
    const { pages } = world;
    const ends = [
      window.start,
      window.end,
      ...(world.directMap === null ? [] : [world.directMap.start, world.directMap.end]),
    ];
    this.#addresses = [
      ...ends.flatMap((end) => [end - pages, end - 1n, end, end + 1n, end + pages]),
      ...[0n, 1n, pages, 1n << 47n, (1n << 64n) - (1n << 47n), (1n << 64n) - pages, (1n << 64n) - 1n],
      ...[1n << 64n, (1n << 64n) + pages, -1n, -pages, 1n << 200n, (1n << 63n) - pages],
    ];
  }

  /** A value, or once in `n` times one of a wrong kind. */
  or<T>(n: number, value: () => T): T {
    return this.#world.dice.oneIn(n) ? (this.wrong() as T) : value();
  }

  /** Anything. */
  wrong(): unknown {
    const { dice, pages } = this.#world;
    return dice.of<() => unknown>([
      () => dice.of([undefined, null, true, '', '4096', 'ffff', Symbol('hostile'), Symbol.iterator]),
      () => dice.of([Number.NaN, -1, -0, 0.5, 1e300, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]),
      () => dice.of([2 ** 31, -(2 ** 31), 2 ** 32, 2 ** 32 + 1, 2 ** 53, 2 ** 53 - 1, 2 ** 64, 0, 1]),
      () => dice.of([0n, 1n, -1n, pages, 1n << 53n, 1n << 63n, 1n << 64n, (1n << 64n) - 1n, 1n << 200n]),
      () => dice.of([{}, [], [1], [4096n], () => 1, new Date(0), new Uint32Array(2), /x/, new Map()]),
      () => Object.create(null),
      () => this.#loud({ toString: 0, valueOf: 0 }),
      () =>
        this.#loud({ start: 0, end: 0, length: 0, size: 0, extra: 0, map: 0, format: 0, table: 0, base: 0 }),
      () => ({ [Symbol.toPrimitive]: () => this.#back(4096) }),
      () => this.#haunted({ size: 4096, length: 3, start: 0n, end: 4096n }),
      () => dice.of([Object(4096), Object(4096n), Object('x'), new Proxy(() => 1, {})]),
    ])();
  }

  /** An address near a boundary of something. */
  address(): bigint {
    const { dice, model, pages } = this.#world;
    if (dice.oneIn(6)) return dice.of(this.#addresses);
    if (dice.oneIn(8) && model.freedAddresses.length > 0) return dice.of(model.freedAddresses);
    const one = this.anyLive();
    if (one === null) return dice.of(this.#addresses);
    const end = one.start + one.bytes;
    const at = dice.of([
      one.start,
      one.start,
      one.start,
      end,
      end + one.guard,
      one.start + (end - one.start) / 2n,
    ]);
    return at + dice.of([0n, 0n, 0n, 0n, pages, -pages, 1n, -1n, pages / 2n]);
  }

  /** First address of a live range; now and then any address. */
  start(...kinds: readonly Live['kind'][]): bigint {
    const { dice, model } = this.#world;
    const some = model.of(...kinds);
    if (some.length === 0 || dice.oneIn(4)) return this.address();
    return this.#aim(dice.of(some)).start;
  }

  /** A live range, which becomes the target of the call. */
  anyLive(): Live | null {
    const { dice, model } = this.#world;
    return model.live.length === 0 ? null : this.#aim(dice.of(model.live));
  }

  /** A range of pages inside a live range, near its ends; now and then one that leaves it. */
  range(...kinds: readonly Live['kind'][]): { start: bigint; end: bigint; pages: number } {
    const { dice, model, pages } = this.#world;
    const some = model.of(...kinds);
    if (some.length === 0 || dice.oneIn(6)) {
      const start = this.address();
      const end = dice.oneIn(3) ? this.address() : start + BigInt(dice.below(4)) * pages;
      return { start, end, pages: Math.max(0, Math.min(2000, Number((end - start) / pages))) };
    }
    const one = this.#aim(dice.of(some));
    const all = Number(one.bytes / pages);
    const count = 1 + dice.below(Math.min(all, dice.of([2, 4, 40])));
    const first = dice.of([0, dice.below(all), Math.max(0, all - count), Math.max(0, all - count + 1)]);
    const start = one.start + BigInt(first) * pages;
    const slip = dice.oneIn(10) ? dice.of([1n, -1n, pages]) : 0n;
    return { start: start + slip, end: start + BigInt(count) * pages, pages: count };
  }

  /** Bytes. */
  size(): number | bigint {
    const { dice, page } = this.#world;
    const bytes = this.or(10, () => {
      const few = page * (1 + dice.below(6)) - dice.of([0, 0, 1, page - 1]);
      const many = dice.of([64, 512, 513, 700, 1024, 2048, 2049]) * page;
      return dice.of([few, few, few, few, few, many, dice.of([2 ** 21, 2 ** 31, 2 ** 40, 2 ** 44, 2 ** 52])]);
    });
    return dice.oneIn(3) && Number.isSafeInteger(bytes) ? BigInt(bytes) : bytes;
  }

  /** A page offset or a number of pages. */
  count(most: number): number {
    const { dice } = this.#world;
    return this.or(8, () => dice.of([0, 1, 1, 1, 2, 3, dice.below(most + 2), most, most - 1, most + 1]));
  }

  flags(...usual: readonly number[]): number {
    const { dice } = this.#world;
    return this.or(8, () => (dice.oneIn(4) ? dice.below(0x4000) : dice.of(usual)));
  }

  /** A protection: a named one, an incomplete one, or one whose getters are hostile. */
  protection(): never {
    const { dice, options } = this.#world;
    const named = dice.of(Object.values(options.linux.protections));
    const one = this.or(12, () => (dice.oneIn(3) ? this.hostile({ ...named }) : named));
    return one as never;
  }

  /** Options or a request: plain, or with hostile getters. */
  options(usual: object): never {
    const { dice, pages } = this.#world;
    const injected = dice.oneIn(6)
      ? {
          ...usual,
          ...dice.of<object>([
            { size: 4096 },
            { size: 1n << 30n },
            { flags: 0x40 },
            { align: pages * 8n },
            { shift: 21 },
            { caller: 7 },
            { window: {} },
            { mayPurge: 0 },
          ]),
        }
      : usual;
    return this.or(16, () => (dice.oneIn(3) ? this.hostile(injected) : injected)) as never;
  }

  /**
   * A callback that misbehaves.
   *
   * @param where - `sink` for a callback after the fact: what it throws undoes nothing.
   */
  callback<T>(usual: (...args: never[]) => T, where: 'argument' | 'sink' = 'argument'): never {
    const { dice } = this.#world;
    return this.or(10, () => (...args: never[]) => {
      if (this.#world.isEnding) return usual(...args);
      if (dice.oneIn(12)) throw new Planted(where);
      if (dice.oneIn(12)) return this.#back(undefined);
      return dice.oneIn(12) ? this.wrong() : usual(...args);
    }) as never;
  }

  /** The same object, with getters that throw, call back, or change their value at the second read. */
  hostile<T extends object>(usual: T): T {
    const { dice } = this.#world;
    return dice.of<() => T>([
      () => this.#haunted(usual),
      () => this.#loud(usual, 4),
      () => this.#fickle(usual),
      () => Object.assign(Object.create(null), usual),
      () => Object.freeze(usual),
      () => ({ ...usual, [dice.of(Object.keys(usual).concat('x'))]: this.wrong() }),
    ])();
  }

  /** Calls back, and passes a value on. */
  #back<T>(value: T): T {
    this.#world.callBack();
    return value;
  }

  /** Every look at it calls back. */
  #haunted<T extends object>(target: T): T {
    const { dice } = this.#world;
    return new Proxy(target, {
      get: (object, key, receiver) => {
        if (dice.oneIn(3)) this.#world.callBack();
        return Reflect.get(object, key, receiver);
      },
    });
  }

  /** Members throw: all of them, or once in `n`. */
  #loud<T extends object>(target: T, n = 1): T {
    const loud = { ...target };
    for (const key of Object.keys(target))
      if (this.#world.dice.oneIn(n))
        Object.defineProperty(loud, key, {
          enumerable: true,
          get: () => {
            throw new Planted('argument');
          },
        });
    return loud;
  }

  /** Right when it is read first, wrong afterwards. */
  #fickle<T extends object>(target: T): T {
    const { dice } = this.#world;
    const fickle = { ...target };
    for (const [key, value] of Object.entries(target)) {
      let left = 1 + dice.below(3);
      Object.defineProperty(fickle, key, {
        enumerable: true,
        get: () =>
          left-- > 0 ? value : typeof value === 'bigint' && dice.oneIn(2) ? this.address() : this.wrong(),
      });
    }
    return fickle;
  }

  #aim(one: Live): Live {
    this.#world.target = one.start;
    return one;
  }
}
