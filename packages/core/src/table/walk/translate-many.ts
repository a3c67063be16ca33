import { shown, VmError } from '../../errors.js';
import type { Loops } from '../../loops/run-loops.js';
import { UNKNOWN_FRAME } from '../../loops/walk-many.js';
import type { TableContext } from '../state/context.js';
import { LookupWalk } from './lookup-walk.js';
import { isWalkable, walkPlan } from './walk-plan.js';

/** Translates many addresses of one root: by a kernel where all tables are in one bank, and one by one what that cannot tell. */
export class ManyWalks {
  readonly #context: TableContext;
  readonly #one: LookupWalk;
  readonly #plan: Int32Array | null;

  constructor(context: TableContext) {
    const { plan, memory, root } = context;
    this.#context = context;
    this.#one = new LookupWalk(context);
    const isOne = memory.banks.length === 1 && isWalkable(plan, root.bank);
    this.#plan = isOne ? walkPlan(plan, root.bank, root.word) : null;
  }

  /** Translates all addresses, and returns how many are translated. See `PageTable.translateMany`. */
  translate(addresses: BigUint64Array, frames: Float64Array, leafShifts: Uint8Array | null): number {
    const count = addresses.length;
    if (count === 0) return 0;
    // As words: a bigint for each address would cost 100 ns.
    const words = new Uint32Array(addresses.buffer, addresses.byteOffset, 2 * count);
    if (this.#plan === null) {
      for (let i = 0; i < count; i++) this.#translateOne(words, i, frames, leafShifts);
    } else {
      const loops = this.#context.root.bank.loops as Loops;
      const missing = loops.walkMany(this.#plan, words, 0, count, frames, leafShifts);
      if (missing === 0) return count;
      for (let i = 0; i < count; i++) {
        if (frames[i] === UNKNOWN_FRAME) this.#translateOne(words, i, frames, leafShifts);
      }
    }
    let found = 0;
    for (let i = 0; i < count; i++) if ((frames[i] as number) >= 0) found++;
    return found;
  }

  #translateOne(words: Uint32Array, i: number, frames: Float64Array, leafShifts: Uint8Array | null): void {
    const vaLo = (words[2 * i] as number) | 0;
    const vaHi = (words[2 * i + 1] as number) | 0;
    frames[i] = this.#one.translate(vaHi, vaLo);
    if (leafShifts !== null) leafShifts[i] = this.#one.leafShift;
  }
}

/** Refuses arrays of another type than the loops take, or too short ones: nothing is then written. */
export function checkMany(addresses: unknown, frames: unknown, leafShifts: unknown): void {
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
  throw new VmError('EINVAL', `${nameOfA} lies over ${nameOfB}`, {
    advice: 'give each array bytes of its own',
  });
}

function isOverlapping(a: ArrayBufferView, b: ArrayBufferView): boolean {
  const starts = Math.max(a.byteOffset, b.byteOffset);
  return a.buffer === b.buffer && starts < Math.min(a.byteOffset + a.byteLength, b.byteOffset + b.byteLength);
}

function lengthOf(array: unknown, type: string, name: string, least: number): number {
  // By brand, which holds for arrays of other realms too.
  if (!ArrayBuffer.isView(array) || Object.prototype.toString.call(array) !== `[object ${type}]`) {
    throw new VmError('EINVAL', `${name} is ${shown(array)}`, { advice: `pass a ${type}` });
  }
  const { length } = array as Uint8Array;
  if (length < least) {
    throw new VmError('EINVAL', `${name} has ${length} elements for ${least} addresses`);
  }
  return length;
}
