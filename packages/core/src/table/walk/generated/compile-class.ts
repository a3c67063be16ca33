/** Hosts that refuse once refuse always, and may report each try. */
let isRefused = false;
/** Classes by source. */
const classes: Map<string, unknown> = new Map();
/** With more of them all are forgotten: those that nobody uses go. */
const MOST_CLASSES = 64;

/**
 * Compiles a class whose source was made of compiled numbers alone.
 *
 * @param name - of the base class in the source.
 * @param base - the class that it extends.
 * @param source - the body of a function that gets the base and returns the class.
 * @returns `null` where the host lets nobody compile source (a content security policy).
 */
export function compileClass<T>(name: string, base: T, source: () => string): T | null {
  if (isRefused) return null;
  const text = source();
  const found = classes.get(text);
  if (found !== undefined) return found as T;
  const make = functionOf(name, text);
  if (make === null) return null;
  const made = make(base);
  if (classes.size >= MOST_CLASSES) classes.clear();
  classes.set(text, made);
  return made as T;
}

/** A function with a body; `null` where the host refuses. */
function functionOf(name: string, source: string): ((base: unknown) => unknown) | null {
  try {
    return new Function(name, source) as (base: unknown) => unknown;
  } catch (error) {
    // An EvalError of a policy, or a TypeError where `Function` was taken away. Too little memory and wrong source are other matters.
    if (error instanceof RangeError || error instanceof SyntaxError) throw error;
    isRefused = true;
    return null;
  }
}
