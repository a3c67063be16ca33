import { isArray, shown, VmError } from '../errors.js';
import { type Given, optionsOf } from './options.js';

/**
 * Copies a short list of a caller, element by element. It does not use the list's iterator, which may be the
 * caller's, and stops at a hole.
 *
 * @param what - what the elements are, for the message: `ranges`.
 * @throws VmError `EINVAL` for anything that is not a list, or at the first element that `isOne` refuses; also at
 *   the first hole, since a list with holes may have any length.
 */
export function copyList<T>(list: readonly T[], what: string, isOne: (value: unknown) => boolean): T[] {
  if (isArray(list) !== true)
    throw new VmError('EINVAL', `${what} is ${shown(list)}`, { advice: 'pass an array' });
  // Read once: a getter may make the list longer each time.
  const { length } = list;
  const copy: T[] = [];
  for (let i = 0; i < length; i++) {
    const one: T = list[i];
    if (!(i in list) || !isOne(one)) throw new VmError('EINVAL', `${what}[${i}] is ${shown(one)}`);
    copy.push(one);
  }
  return copy;
}

/**
 * Copies a short list of objects that a caller passed, each by `optionsOf`.
 *
 * @param list - what the caller passed.
 * @param names - every member that an element may have.
 * @param what - what the list is, for the message: `pieces`.
 * @param least - how many elements there must be. Default: 0.
 * @returns the members of each element; check each value before use.
 * @throws VmError `EINVAL` for anything that is not a list, for an element that is not an object or has a
 *   member that is not known, and for too few elements.
 */
export function recordsOf<T extends object>(
  list: readonly T[],
  names: readonly (keyof T & string)[],
  what: string,
  least = 0,
): Given<T>[] {
  const records = copyList(list, what, (one) => typeof one === 'object' && one !== null);
  if (records.length < least)
    throw new VmError('EINVAL', `${what} has no element`, { advice: 'pass at least one' });
  return records.map((one, i) => optionsOf(one, names, `${what}[${i}]`, 'member'));
}
