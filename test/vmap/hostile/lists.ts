import type { FrameList } from '@vmarea/core';
import type { Arguments } from './arguments.js';
import { Planted } from './planted.js';
import type { World } from './world.js';

/** Lists of frames: whole ones, and ones that lie about themselves or change while they are read. */
export class Lists {
  readonly #world: World;
  readonly #arguments: Arguments;

  constructor(world: World, args: Arguments) {
    this.#world = world;
    this.#arguments = args;
  }

  /** A list of so many frames, at times of another number. `count` is its length when the call begins. */
  of(wanted: number): { readonly list: FrameList; readonly count: number } {
    const { dice } = this.#world;
    if (dice.oneIn(16)) {
      // Some of these are lists by chance.
      const list = this.#arguments.wrong();
      return {
        list: list as FrameList,
        count: Array.isArray(list) || list instanceof Uint32Array ? list.length : -1,
      };
    }
    const count = dice.oneIn(10) ? dice.below(8) : Math.min(wanted, 2100);
    const numbers = this.#numbers(count);
    const kind = dice.below(10);
    if (kind < 3) return { list: numbers, count };
    if (kind < 5) return { list: this.#typed(numbers), count };
    return { list: dice.oneIn(3) ? this.#odd(numbers) : this.#changing(numbers), count };
  }

  /** A plain list of numbers that changes while it is read. */
  hostile<T>(numbers: T[]): T[] {
    return this.#changing(numbers as unknown as number[]) as unknown as T[];
  }

  #numbers(count: number): number[] {
    const { dice, model, ram } = this.#world;
    const first = dice.of([
      1,
      dice.below(2 ** 20),
      512 * dice.below(64),
      ram.first + dice.below(ram.frames),
      2 ** 32 + 5,
    ]);
    const scattered = dice.oneIn(3);
    const held = model.held.filter(({ order }) => order === 0);
    if (held.length >= count && dice.oneIn(2)) return held.slice(0, count).map(({ pfn }) => pfn);
    return Array.from({ length: count }, (_, i) => (scattered ? dice.below(2 ** 20) : first + i));
  }

  #typed(numbers: readonly number[]): Uint32Array | Float64Array {
    const { dice, arrays } = this.#world;
    const bytes = 4 * numbers.length;
    const array = dice.of<() => Uint32Array | Float64Array>([
      () => Uint32Array.from(numbers),
      () => Float64Array.from(numbers),
      () => new Uint32Array(new SharedArrayBuffer(bytes)).fill(7),
      () => new Uint32Array(resizable(bytes)),
    ])();
    arrays.push(array);
    return array;
  }

  /** A value that is no list, or almost one. */
  #odd(numbers: number[]): FrameList {
    const { dice } = this.#world;
    const typed = this.#typed(numbers);
    return dice.of<() => unknown>([
      () => [],
      () => new Uint32Array(0),
      () => new Array(2 ** 32 - 1),
      () => new Array(numbers.length),
      () => new Proxy(typed, {}),
      () => Object.create(Uint32Array.prototype),
      () => Object.create(Array.prototype),
      () => new BigUint64Array(numbers.length),
      () => new Int32Array(numbers),
      () => new DataView(new ArrayBuffer(8)),
      () => new Set(numbers),
      () => Object.assign({ length: numbers.length }, { ...numbers }),
      () => Object.defineProperty(typed, 'length', { value: dice.of([0, 1, 2 ** 31, Number.NaN]) }),
      () => Object.assign(Uint32Array.from(numbers), { slice: () => numbers, constructor: Array }),
      () => withSpecies(numbers),
      () => detached(numbers),
      () =>
        new Proxy(numbers, {
          get: (list, key) =>
            key === 'length' ? dice.of([-1, 0.5, Number.NaN, 2 ** 53, '3', 2 ** 32]) : Reflect.get(list, key),
        }),
    ])() as FrameList;
  }

  /** A plain array that differs when it is read again. */
  #changing(numbers: number[]): number[] {
    const world = this.#world;
    const { dice } = world;
    if (numbers.length === 0) return numbers;
    const at = dice.below(numbers.length);
    const getter = (get: () => unknown) => Object.defineProperty([...numbers], at, { get, enumerable: true });
    const self: number[] = getter(() => {
      dice.of([
        () => (self.length = at),
        () => self.push(3),
        () => self.push(4, 5),
        () => world.callBack(),
      ])();
      return dice.oneIn(3) ? this.#arguments.wrong() : 5;
    });
    return dice.of<() => number[]>([
      () => self,
      () =>
        getter(() => {
          throw new Planted('argument');
        }),
      () =>
        getter(() => {
          world.callBack();
          return numbers[at];
        }),
      () => {
        let looks = 0;
        return getter(() => (looks++ === 0 ? numbers[at] : this.#arguments.wrong()));
      },
      () => Object.assign([...numbers], { [at]: this.#arguments.wrong() }),
      () => Object.assign([...numbers], { [at]: dice.of([-1, 0.5, Number.NaN, 2 ** 52, 2 ** 40, 2 ** 53]) }),
      () =>
        Object.assign([...numbers], {
          [Symbol.iterator]: function* () {
            for (;;) yield 1;
          },
        }),
      () => {
        const holes = [...numbers];
        delete holes[at];
        return holes;
      },
      () =>
        new Proxy([...numbers], {
          get: (list, key, receiver) => {
            if (dice.oneIn(4)) world.callBack();
            if (dice.oneIn(20)) throw new Planted('argument');
            return Reflect.get(list, key, receiver);
          },
        }),
    ])();
  }
}

function resizable(bytes: number): ArrayBuffer {
  // Not in the types of this language level.
  const Buffer = ArrayBuffer as unknown as new (bytes: number, o: { maxByteLength: number }) => ArrayBuffer;
  return new Buffer(bytes, { maxByteLength: bytes + 64 });
}

/** A typed array whose copies are made by hostile code. */
function withSpecies(numbers: readonly number[]): Uint32Array {
  class Hostile extends Uint32Array {
    static get [Symbol.species](): Uint32ArrayConstructor {
      throw new Planted('argument');
    }
  }
  return Hostile.from(numbers);
}

/** A detached typed array that claims to have bytes. */
function detached(numbers: readonly number[]): Uint32Array {
  const array = Uint32Array.from(numbers);
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return Object.defineProperty(array, 'length', { value: numbers.length });
}
