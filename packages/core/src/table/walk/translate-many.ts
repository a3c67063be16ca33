import { shown, VmError } from '../../errors.js';
import type { Controls } from '../../format/access.js';
import { UNKNOWN_FRAME, type WalkLoops } from '../../loops/run-loops.js';
import type { ReadableTable } from '../readable-table.js';
import type { TableContext } from '../state/context.js';
import { behind, contextOf } from '../state/registry.js';
import { FlatWalk } from './flat-walk.js';
import { generatedLookup } from './generated/generated-lookup.js';
import { isShared, SharedLookup } from './shared-walk.js';
import type { Translator } from './translator.js';

/**
 * Translates many addresses.
 *
 * @param table - the table that translates.
 * @param addresses - virtual addresses in bytes.
 * @param frames - receives the frame of each address in base pages, also inside a larger leaf; -1 where
 *   there is no translation. At least as long as `addresses`.
 * @param leafShifts - receives log2 bytes of the leaf; 0 where there is no translation.
 * @returns how many addresses are translated.
 * @throws VmError `EINVAL` for arrays of another type, arrays that are too short, or a destroyed table.
 * @example
 * ```ts
 * const frames = new Float64Array(2);
 * translateMany(table, BigUint64Array.of(0xffffc90000000000n, 0xffffc90000001008n), frames); // frames[1] is 0x99
 * ```
 */
export function translateMany<C extends Controls>(
  table: ReadableTable<C>,
  addresses: BigUint64Array,
  frames: Float64Array,
  leafShifts?: Uint8Array,
): number {
  const context = contextOf(table);
  checkMany(addresses, frames, leafShifts);
  let walks = walksOf.get(context);
  if (walks === undefined) {
    walks = new ManyWalks(context, behind(table).translator);
    walksOf.set(context, walks);
  }
  return walks.translate(addresses, frames, leafShifts ?? null);
}

/** The walks of each root that was asked for many. A walk plan takes 10 µs to make. */
const walksOf: WeakMap<TableContext, ManyWalks> = new WeakMap();

/**
 * Translates many addresses of one root. The bank's loops do it in one call where they can. What they cannot
 * tell is translated one by one.
 */
class ManyWalks {
  readonly #translator: Translator;
  /** Finds the entries of pages in one bank; `null` for tables in several, or in an image. */
  readonly #flat: FlatWalk | null;
  readonly #pageShift: number;
  /** Also tells the leaf's size. It looks each table up. */
  readonly #lookup: Translator & { readonly leafShift: number };
  readonly #walks: WalkLoops | null;
  readonly #plan: Int32Array | null;

  constructor(context: TableContext, translator: Translator) {
    const { plan, memory, root } = context;
    const walks = root.bank.loops?.walks ?? null;
    this.#translator = translator;
    this.#flat = translator instanceof FlatWalk ? translator : null;
    this.#pageShift = plan.pageShift;
    this.#lookup = isShared(context) ? new SharedLookup(context) : generatedLookup(context);
    this.#walks = walks;
    this.#plan =
      memory.banks.length === 1 && walks !== null ? walks.planOf(plan, root.bank, root.word) : null;
  }

  /** Translates all addresses and returns how many are translated. See `translateMany`. */
  translate(addresses: BigUint64Array, frames: Float64Array, leafShifts: Uint8Array | null): number {
    const count = addresses.length;
    if (count === 0) return 0;
    // As words: a bigint for each address would cost 100 ns.
    const words = new Uint32Array(addresses.buffer, addresses.byteOffset, 2 * count);
    const missing =
      this.#plan === null ? -1 : (this.#walks as WalkLoops).walkMany(this.#plan, words, frames, leafShifts);
    // To look at each frame again took 2 ns an address, half as much as the walks in order.
    if (missing === 0) return count;
    let found = 0;
    for (let i = 0; i < count; i++) {
      if (missing < 0 || frames[i] === UNKNOWN_FRAME) this.#translateOne(words, i, frames, leafShifts);
      if ((frames[i] as number) >= 0) found++;
    }
    return found;
  }

  #translateOne(words: Uint32Array, i: number, frames: Float64Array, leafShifts: Uint8Array | null): void {
    const vaLo = (words[2 * i] as number) | 0;
    const vaHi = (words[2 * i + 1] as number) | 0;
    if (leafShifts === null) {
      frames[i] = this.#translator.translate(vaHi, vaLo);
      return;
    }
    const at = this.#flat === null ? -1 : this.#flat.entryOf(vaHi, vaLo);
    const pfn = at < 0 ? -1 : (this.#flat as FlatWalk).plainFrameAt(at);
    if (pfn >= 0) {
      frames[i] = pfn;
      leafShifts[i] = this.#pageShift;
      return;
    }
    frames[i] = this.#lookup.translate(vaHi, vaLo);
    leafShifts[i] = this.#lookup.leafShift;
  }
}

/**
 * Refuses arrays that are too short, or of another type than the loops take. Nothing is written before that.
 */
function checkMany(addresses: unknown, frames: unknown, leafShifts: unknown): void {
  const count = lengthOf(addresses, 'BigUint64Array', 'addresses', 0);
  lengthOf(frames, 'Float64Array', 'frames', count);
  if (leafShifts !== undefined) lengthOf(leafShifts, 'Uint8Array', 'leafShifts', count);
  refuseOverlap(frames, addresses, 'frames', 'addresses');
  if (leafShifts === undefined) return;
  refuseOverlap(leafShifts, addresses, 'leafShifts', 'addresses');
  refuseOverlap(leafShifts, frames, 'leafShifts', 'frames');
}

function refuseOverlap(a: unknown, b: unknown, nameOfA: string, nameOfB: string): void {
  if (!isOverlapping(a as ArrayBufferView, b as ArrayBufferView)) return;
  throw new VmError('EINVAL', `${nameOfA} overlaps ${nameOfB}`, {
    advice: 'give each array its own bytes',
  });
}

function isOverlapping(a: ArrayBufferView, b: ArrayBufferView): boolean {
  const starts = Math.max(a.byteOffset, b.byteOffset);
  return a.buffer === b.buffer && starts < Math.min(a.byteOffset + a.byteLength, b.byteOffset + b.byteLength);
}

function lengthOf(array: unknown, type: string, name: string, least: number): number {
  // By brand, which also holds for arrays of other realms.
  if (!ArrayBuffer.isView(array) || Object.prototype.toString.call(array) !== `[object ${type}]`) {
    throw new VmError('EINVAL', `${name} is ${shown(array)}`, { advice: `pass a ${type}` });
  }
  const { length } = array as Uint8Array;
  if (length < least) {
    throw new VmError('EINVAL', `${name} has ${length} elements for ${least} addresses`);
  }
  return length;
}
