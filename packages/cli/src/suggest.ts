import { closestMatch } from 'leven';

/** The known name nearest to a mistyped one; `undefined` when none is near. */
export function nearest(name: string, names: readonly string[]): string | undefined {
  const maxDistance = Math.max(2, Math.ceil(name.length / 3));
  const lowerCase = names.map((one) => one.toLowerCase());
  const match = closestMatch(name.toLowerCase(), lowerCase, { maxDistance });
  return match === undefined ? undefined : names[lowerCase.indexOf(match)];
}
