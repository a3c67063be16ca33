import { shown, VmError } from '../errors.js';

/**
 * Copies a short list of a caller, element by element: its iterator may be another's, and its holes without end.
 *
 * @param what - what the elements are, for the message: `ranges`.
 * @throws VmError `EINVAL` for what is no list, or at the first element that `isOne` refuses.
 */
export function copyList<T>(list: readonly T[], what: string, isOne: (value: unknown) => boolean): T[] {
  if (!Array.isArray(list))
    throw new VmError('EINVAL', `${what} is ${shown(list)}`, { advice: 'pass an array' });
  // Read once: a getter in it may make it longer each time.
  const { length } = list;
  const copy: T[] = [];
  for (let i = 0; i < length; i++) {
    const one: T = list[i];
    if (!isOne(one)) throw new VmError('EINVAL', `${what}[${i}] is ${shown(one)}`);
    copy.push(one);
  }
  return copy;
}
