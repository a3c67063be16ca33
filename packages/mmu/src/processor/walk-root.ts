import { type Bank, hex, isInRange, type PhysicalMemory, type Plan, rangeTest, VmError } from '@vmarea/core';
import type { Rights } from './rights.js';
import { WalkLevel } from './walk-level.js';

/** An arm64 root is aligned to 64 bytes at least. No format aligns its root to less. */
const MIN_ROOT_BYTES = 64;

/**
 * One root table and the addresses that it translates, as numbers for walks. The root can be exchanged: that reads two words of
 * the memory's banks and allocates nothing.
 */
export class WalkRoot {
  readonly plan: Plan;
  readonly levels: readonly WalkLevel[];
  /** What paths allow under the current controls. */
  rights: Rights;
  /** The bank of the root table, and the index of its first word. */
  bank: Bank;
  declare word: number;
  /** Physical address of the root in bytes. */
  place: number;
  /** Frame of the root, in pages of the format. A small arm64 root may begin inside it. */
  pfn: number;
  /** The frames of that bank: the first one's low word, and how many; 0 when they are not in one piece. */
  declare firstFrame: number;
  declare frameCount: number;
  /** log2 of the words in a table. */
  declare readonly wordShift: number;
  /** Where the low word of a frame number is in an entry, and the bits of its high word. */
  declare readonly lowLo: number;
  declare readonly lowHi: number;
  declare readonly lowRotate: number;
  declare readonly highLo: number;
  declare readonly highHi: number;
  declare readonly pageShift: number;
  declare readonly pageBytes: number;
  /** Bytes that a root is aligned to. */
  declare readonly rootBytes: number;
  /** Physical addresses are below this. */
  readonly limit: number;
  declare readonly aboveShift: number;
  declare readonly zeros: number;
  declare readonly ones: number;
  declare readonly lowBits: number;

  constructor(plan: Plan, rights: Rights, memory: PhysicalMemory, root: bigint) {
    const { address, pageShift } = plan;
    const { aboveShift, zeros, ones, lowBits } = rangeTest(plan);
    this.plan = plan;
    this.levels = plan.levels.map((level) => new WalkLevel(level));
    this.rights = rights;
    this.wordShift = (pageShift - 2) | 0;
    this.pageShift = pageShift | 0;
    this.lowLo = address.lowLo | 0;
    this.lowHi = address.lowHi | 0;
    this.lowRotate = address.lowRotate | 0;
    this.highLo = address.highLo | 0;
    this.highHi = address.highHi | 0;
    this.aboveShift = aboveShift | 0;
    this.zeros = zeros | 0;
    this.ones = ones | 0;
    this.lowBits = lowBits | 0;
    this.pageBytes = (1 << pageShift) | 0;
    this.rootBytes = Math.max(MIN_ROOT_BYTES, (plan.levels[0]?.entries ?? 0) * 8) | 0;
    this.limit = 2 ** plan.format.paBits;
    this.bank = memory.banks[0] as Bank;
    this.word = 0 | 0;
    this.place = -1;
    this.pfn = -1;
    this.firstFrame = 0 | 0;
    this.frameCount = 0 | 0;
    this.use(memory, root);
  }

  /** True when the root translates an address. */
  has(vaHi: number, vaLo: number): boolean {
    return isInRange(this, vaHi, vaLo);
  }

  /** Physical address of the root in bytes. */
  get root(): bigint {
    return BigInt(this.place);
  }

  /**
   * Exchanges the root.
   *
   * @throws VmError as `check`.
   */
  use(memory: PhysicalMemory, root: bigint): void {
    const bank = this.check(memory, root);
    const address = Number(root);
    this.place = address;
    this.pfn = Math.floor(address / this.pageBytes);
    this.word =
      (bank.wordOf(this.pfn, this.pageShift) + (((address >>> 0) & (this.pageBytes - 1)) >>> 2)) | 0;
    this.enter(bank);
  }

  /**
   * The bank of a root that this one may become.
   *
   * @throws VmError `EINVAL` when it is not aligned to its size or wider than a physical address; `EFAULT` when it has no bytes.
   */
  check(memory: PhysicalMemory, root: bigint): Bank {
    const { plan, pageShift } = this;
    const address = typeof root === 'bigint' ? Number(root) : -1;
    if (address < 0 || address >= this.limit) {
      const shown = typeof root === 'bigint' ? hex(root) : String(root);
      throw new VmError('EINVAL', `the root ${shown} is not a physical address`, {
        advice: `pass a bigint of up to ${plan.format.paBits} bits`,
      });
    }
    const bytes = this.rootBytes;
    if (((address >>> 0) & (bytes - 1)) !== 0) {
      throw new VmError('EINVAL', `the root is not a multiple of its size 0x${bytes.toString(16)}`, {
        address: root,
        advice: 'pass the table address alone, without the low bits of the register',
      });
    }
    const pfn = Math.floor(address / this.pageBytes);
    const bank = bankOf(memory, pfn, pageShift);
    if (bank === null || !isWhole(bank, pfn, plan))
      throw new VmError('EFAULT', 'the memory has no bytes at the root', { address: root });
    return bank;
  }

  /** Takes a bank as the one that most tables are in. */
  enter(bank: Bank): void {
    if (bank === this.bank && this.frameCount > 0) return;
    this.bank = bank;
    const first = Number(bank.base) / 2 ** this.pageShift;
    const isPlain = bank.linear && Number.isInteger(first) && first + bank.bytes / 4096 < 2 ** 31;
    this.firstFrame = (isPlain ? first : 0) | 0;
    this.frameCount = (isPlain ? bank.bytes / this.pageBytes : 0) | 0;
  }
}

/** The bank that holds a frame; `null` for none. It allocates nothing. */
export function bankOf({ banks }: PhysicalMemory, pfn: number, pageShift: number): Bank | null {
  for (let i = 0; i < banks.length; i++) {
    const bank = banks[i] as Bank;
    if (bank.wordOf(pfn, pageShift) >= 0) return bank;
  }
  return null;
}

/** True when all frames of a root of several frames follow each other. */
function isWhole(bank: Bank, pfn: number, { rootOrder, pageShift, pageWords }: Plan): boolean {
  const word = bank.wordOf(pfn, pageShift);
  for (let i = 1; i < 2 ** rootOrder; i++) {
    if (bank.wordOf(pfn + i, pageShift) !== word + i * pageWords) return false;
  }
  return true;
}
