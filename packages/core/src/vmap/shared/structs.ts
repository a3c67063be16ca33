import type { Protection } from '../../format/protection.js';
import type { OwnedFrames } from '../../space/frame-owners.js';
import type { LazyGrowth, VmStruct } from '../areas/vm-struct.js';
import { textOf } from './log-text.js';

/** Most areas before their numbers come again. A pin is a positive 32-bit number. */
const MOST = 0x7fff_fffe;

/** How a lazy area grows, as plain data. */
export interface GrowthShape {
  /** Where frames come from: the space's pages, its tables, or a function or allocator of one thread alone. */
  readonly source: 'ram' | 'tables' | 'thread';
  readonly protection: Protection;
  readonly chunkShift: number;
  /** Bytes; `null` for no limit. */
  readonly limit: bigint | null;
  /** Token of the thread that made it. */
  readonly maker: number;
}

/** The fields of an area as the log has them. */
export type PlainStruct = readonly [
  flags: number,
  requestedBytes: bigint,
  caller: string | null,
  physical: bigint | null,
  /** log2 of the frames of a block; -1 when the area owns none. */
  ownedOrder: number,
  ownedPages: number,
  /** Number of the area that holds the array of its pages; 0 for none. */
  array: number,
  isArray: boolean,
  growth: GrowthShape | null,
];

/**
 * The vm areas of a space by number. An area has the same number in every thread, since all threads make the
 * same reservations in the same order. A number is never 0.
 */
export class Structs {
  /** The last number that was given. */
  last = 0;
  readonly #byNumber = new Map<number, VmStruct>();
  readonly #numbers = new WeakMap<VmStruct, number>();
  readonly #shapes = new WeakMap<VmStruct, GrowthShape>();

  /** Gives an area the next number. */
  add(vm: VmStruct): void {
    this.last = (this.last % MOST) + 1;
    this.put(vm, this.last);
  }

  put(vm: VmStruct, number: number): void {
    this.#byNumber.set(number, vm);
    this.#numbers.set(vm, number);
  }

  /** Forgets an area that is no longer live. Its number stays known. */
  remove(vm: VmStruct): void {
    this.#byNumber.delete(this.numberOf(vm));
    vm.isLive = false;
  }

  /** The live area of a number. */
  find(number: number): VmStruct | undefined {
    return this.#byNumber.get(number);
  }

  /** The number of an area; 0 for none. */
  numberOf(vm: VmStruct): number {
    return this.#numbers.get(vm) ?? 0;
  }

  get live(): IterableIterator<VmStruct> {
    return this.#byNumber.values();
  }

  shapeOf(vm: VmStruct): GrowthShape | null {
    return this.#shapes.get(vm) ?? null;
  }

  setShape(vm: VmStruct, shape: GrowthShape): void {
    this.#shapes.set(vm, shape);
  }

  plainOf(vm: VmStruct): PlainStruct {
    const { flags, requestedBytes, caller, physical, owned, ownedPages, array, isArray } = vm;
    return [
      ...([flags, requestedBytes, caller ?? null, physical, owned?.order ?? -1, ownedPages] as const),
      ...([array === null ? 0 : this.numberOf(array), isArray, this.shapeOf(vm)] as const),
    ];
  }

  textOf(vm: VmStruct): string {
    return textOf(this.plainOf(vm));
  }

  /**
   * Gives an area the fields that another thread published.
   *
   * @param ownedBy - the frames that an area owns, found in its tables.
   * @param growthOf - what populates a lazy area of another thread.
   */
  apply(
    vm: VmStruct,
    plain: PlainStruct,
    ownedBy: (vm: VmStruct, order: number, pages: number) => OwnedFrames,
    growthOf: (vm: VmStruct, shape: GrowthShape) => LazyGrowth,
  ): void {
    const [flags, requestedBytes, caller, physical, order, pages, array, isArray, growth] = plain;
    const isSame = vm.owned !== null && vm.owned.order === order && vm.ownedPages === pages;
    if (!isSame) vm.owned = order < 0 ? null : ownedBy(vm, order, pages);
    Object.assign(vm, { flags, requestedBytes, physical, ownedPages: pages, isArray });
    if (caller !== null) Object.assign(vm, { caller });
    vm.array = array === 0 ? null : (this.find(array) ?? null);
    if (growth === null || vm.lazy !== null) return;
    this.setShape(vm, growth);
    vm.lazy = growthOf(vm, growth);
  }
}
