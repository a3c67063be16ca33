import { shown, VmError } from '../errors.js';

/**
 * Copies a short list of a caller, element by element. It does not use the list's iterator, which may be the
 * caller's, and stops at a hole.
 *
 * @param what - what the elements are, for the message: `ranges`.
 * @throws VmError `EINVAL` for anything that is not a list, or at the first element that `isOne` refuses.
 */
export function copyList<T>(list: readonly T[], what: string, isOne: (value: unknown) => boolean): T[] {
  if (!Array.isArray(list))
    throw new VmError('EINVAL', `${what} is ${shown(list)}`, { advice: 'pass an array' });
  // Read once: a getter may make the list longer each time.
  const { length } = list;
  const copy: T[] = [];
  for (let i = 0; i < length; i++) {
    const one: T = list[i];
    if (!isOne(one)) throw new VmError('EINVAL', `${what}[${i}] is ${shown(one)}`);
    copy.push(one);
  }
  return copy;
}
