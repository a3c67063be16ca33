/** Records as one list for each member. In JSON their names then stand once. */
export function columnar<T extends object>(records: readonly T[]): Record<string, unknown[]> {
  const names = Object.keys(records[0] ?? {}) as (keyof T & string)[];
  return Object.fromEntries(names.map((name) => [name, records.map((one) => one[name])]));
}
