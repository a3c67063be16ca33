import { shown, VmError } from '../errors.js';
import { matches, type Words } from '../words.js';
import { checkFields } from './compile-address.js';
import type { Level, Match, Shape } from './entry.js';
import type { PageTableFormat } from './page-table-format.js';
import { whyNoTableEntry } from './table-entry.js';

/** log2 of the bytes of an entry. */
const ENTRY_SHIFT = 3;
/** No known architecture has a root of more than 16 pages (LoongArch and arm64 stage 2 stop there). */
const MAX_ROOT_PAGES_SHIFT = 4;

/** Members that are objects. */
const OBJECTS = ['range', 'levels', 'address', 'present', 'tableEntry', 'controls'] as const;

/** Formats that passed the check. */
const sound: WeakSet<PageTableFormat> = new WeakSet();

/**
 * Checks a format once.
 *
 * @throws VmError as `validateFormat`.
 */
export function requireSound(format: PageTableFormat): void {
  if (sound.has(format)) return;
  validateFormat(format);
  sound.add(format);
}

/**
 * Checks that a format does not contradict itself, so that the engine need not check again.
 *
 * @throws VmError `EINVAL` naming the member and what is wrong with it.
 */
export function validateFormat(format: PageTableFormat): void {
  const { pageShift, paBits, range, levels } = format;
  const bad = (member: string, why: string): VmError =>
    new VmError('EINVAL', `format ${format.name}: ${member} ${why}`);

  for (const member of OBJECTS) {
    const value: unknown = format[member];
    if (typeof value !== 'object' || value === null) throw bad(member, `is ${shown(value)}`);
  }
  if (pageShift !== 12 && pageShift !== 14 && pageShift !== 16) {
    throw bad('pageShift', `is ${pageShift}, expected 12, 14 or 16`);
  }
  if (!Number.isInteger(paBits) || paBits <= pageShift || paBits > 56) {
    throw bad('paBits', `is ${paBits}, expected ${pageShift + 1} to 56`);
  }
  if (levels.length < 1 || levels.length > 5) throw bad('levels', `are ${levels.length}, expected 1 to 5`);

  let shift = pageShift;
  for (let index = levels.length - 1; index >= 0; index--) {
    const level = levels[index] as Level;
    const member = `levels[${index}] (${level.name})`;
    if (level.shift !== shift) throw bad(member, `has shift ${level.shift}, expected ${shift}`);
    const full = pageShift - ENTRY_SHIFT;
    if (index > 0 && level.bits !== full) throw bad(member, `has ${level.bits} index bits, expected ${full}`);
    if (level.bits < 1 || level.bits > full + MAX_ROOT_PAGES_SHIFT) {
      throw bad(member, `has ${level.bits} index bits, expected 1 to ${full + MAX_ROOT_PAGES_SHIFT}`);
    }
    const isLast = index === levels.length - 1;
    if (isLast !== (level.table === null)) throw bad(member, 'must have table entries unless it is the last');
    if (isLast && level.leaf === null) throw bad(member, 'is the last and has no leaf');
    // A block is split into leaves of the next level.
    if (level.leaf === null && index > 0 && levels[index - 1]?.leaf !== null) {
      throw bad(member, `has no leaf, but ${levels[index - 1]?.name} above it has`);
    }
    for (const shape of [level.table, level.leaf]) {
      if (shape !== null && !isSound(shape, format.present)) {
        throw bad(
          member,
          'has a match or rule whose value lies outside its mask, or a match that 0 meets or that is not present',
        );
      }
    }
    if (level.run !== null && !(level.leaf !== null && isPowerOfTwo(level.run.entries))) {
      throw bad(member, 'has a run without a leaf, or whose entries are not a power of two');
    }
    if (level.run !== null && level.run.entries > 2 ** level.bits)
      throw bad(member, 'has a run larger than its table');
    shift += level.bits;
  }
  if (range.bits !== shift || range.bits > 63) {
    throw bad('range.bits', `is ${range.bits}, but the levels and pageShift translate ${shift}`);
  }
  if (range.upper === 'sign' && range.bits < 33)
    throw bad('range', 'of sign-extended addresses is under 33 bits');
  if (!['zeros', 'ones', 'sign'].includes(range.upper)) throw bad('range.upper', `is ${shown(range.upper)}`);
  checkAddress(format, bad);
  const why = whyNoTableEntry(format, format.tableEntry);
  if (why !== null) throw bad('tableEntry', why);
}

/** Every frame below `paBits` must have an encoding. */
function checkAddress(format: PageTableFormat, bad: (member: string, why: string) => VmError): void {
  checkFields(format.address, format.pageShift);
  const paCovered = format.address.reduce(
    (all, { paBit, width }) => all | (((1n << BigInt(width)) - 1n) << BigInt(paBit)),
    0n,
  );
  for (let bit = format.pageShift; bit < format.paBits; bit++) {
    if (((paCovered >> BigInt(bit)) & 1n) === 0n) {
      throw bad('address', `has no field for bit ${bit} of the physical address`);
    }
  }
}

function isSound(shape: Shape, present: Match): boolean {
  if (!isInside(shape.match.value, shape.match.mask)) return false;
  // 0 is an empty slot in every format.
  if ((shape.match.value.lo | shape.match.value.hi) === 0) return false;
  if (!isInside(present.value, present.mask) || (present.mask.lo | present.mask.hi) === 0) return false;
  // A shape must imply that the entry is present. Otherwise the engine and the MMU could read it
  // differently.
  const { mask, value } = shape.match;
  if (!isInside(present.mask, mask) || !matches(value, present)) return false;
  return shape.rules.every((rule) => isInside(rule.value, rule.mask));
}

function isInside(value: Words, mask: Words): boolean {
  return ((value.lo & ~mask.lo) | (value.hi & ~mask.hi)) === 0;
}

function isPowerOfTwo(n: number): boolean {
  return Number.isInteger(n) && n > 1 && (n & (n - 1)) === 0;
}
