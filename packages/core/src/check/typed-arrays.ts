/** The getters of the language: a caller's array may have members of its own by the same names. */
const {
  length,
  buffer,
  byteOffset,
  [Symbol.toStringTag]: tag,
} = Object.getOwnPropertyDescriptors(Object.getPrototypeOf(Uint8Array.prototype) as Uint8Array);

function read<T>({ get }: { get?(): T }, array: unknown): T {
  return (get as () => T).call(array);
}

/** The kind of a typed array, `Uint32Array` …; `undefined` for all else: proxies, and objects that only inherit from one. */
export function typedKind(value: unknown): string | undefined {
  return read<string | undefined>(tag, value);
}

/** Elements of a typed array; 0 when it lost its bytes. */
export function typedLength(array: Uint8Array | Uint32Array | Float64Array): number {
  return read(length, array);
}

/** The same bytes behind an array that has no members of a caller. */
export function plainBytes(array: Uint8Array): Uint8Array {
  const bytes = typedLength(array);
  // Without its bytes an array can be seen no more.
  if (bytes === 0) return new Uint8Array(0);
  return new Uint8Array(read(buffer, array), read(byteOffset, array), bytes);
}
