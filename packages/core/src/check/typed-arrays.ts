/** The language's own getters: a caller's array may have members with the same names. */
const GETTERS = /* @__PURE__ */ (() =>
  Object.getOwnPropertyDescriptors(Object.getPrototypeOf(Uint8Array.prototype) as Uint8Array))();

function read<T>({ get }: { get?(): T }, array: unknown): T {
  return (get as () => T).call(array);
}

/**
 * The kind of a typed array, such as `Uint32Array`. `undefined` for all else, also for proxies and objects
 * that only inherit from one.
 */
export function typedKind(value: unknown): string | undefined {
  return read<string | undefined>(GETTERS[Symbol.toStringTag], value);
}

/** Number of elements of a typed array; 0 when its buffer was detached. */
export function typedLength(array: Uint8Array | Uint32Array | Float64Array): number {
  return read(GETTERS.length, array);
}

/** The same bytes, in an array without members of a caller. */
export function plainBytes(array: Uint8Array): Uint8Array {
  const bytes = typedLength(array);
  // A detached array can no longer be viewed.
  if (bytes === 0) return new Uint8Array(0);
  return new Uint8Array(read(GETTERS.buffer, array), read(GETTERS.byteOffset, array), bytes);
}

/** A typed array of frames, as a view without members of a caller when it is of a class of the caller. */
export function plainFrames(array: Uint32Array | Float64Array): Uint32Array | Float64Array {
  const isNarrow = typedKind(array) === 'Uint32Array';
  if (Object.getPrototypeOf(array) === (isNarrow ? Uint32Array : Float64Array).prototype) return array;
  const [bytes, start, count] = [
    read(GETTERS.buffer, array),
    read(GETTERS.byteOffset, array),
    typedLength(array),
  ];
  return isNarrow ? new Uint32Array(bytes, start, count) : new Float64Array(bytes, start, count);
}
