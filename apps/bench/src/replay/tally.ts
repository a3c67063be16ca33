/** The number of equal and different answers. */
export interface Tally {
  equal: number;
  different: number;
}

/** Counts an answer. */
export function count(tally: Tally, isEqual: boolean): void {
  if (isEqual) tally.equal++;
  else tally.different++;
}
