/** Where Node's `console.log` looks for what it prints. */
export const INSPECT: symbol = /* @__PURE__ */ Symbol.for('nodejs.util.inspect.custom');

/**
 * Makes Node's `console.log` print the `toString` of a class, which says in one to five lines what an object
 * is.
 *
 * Constructors call it with `new.target.prototype`. A member with a computed name would keep the class in
 * every bundle.
 */
export function printsItself(prototype: object): void {
  if (Object.hasOwn(prototype, INSPECT)) return;
  Object.defineProperty(prototype, INSPECT, {
    value(this: object) {
      return String(this);
    },
  });
}

const UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];

/** Bytes as people read them: `16 MiB`, `4.1 GiB`. */
export function sizeText(bytes: number | bigint): string {
  let size = Number(bytes);
  let unit = 0;
  for (; size >= 1024 && unit < UNITS.length - 1; unit++) size /= 1024;
  return `${Number.isInteger(size) ? size : size.toFixed(1)} ${UNITS[unit]}`;
}

/** A number of things: `1 area`, `3 areas`. */
export function counted(count: number, one: string): string {
  return `${count} ${one}${count === 1 ? '' : 's'}`;
}
