import type { Recorded, SpaceView, Step } from './calls.js';
import { lineOf } from './module-code.js';
import { type Drawn, spaceView } from './space-view.js';
import { argumentText, valueText } from './value-text.js';

/** Calls that are recorded, from the first one. Of later ones only some are. */
const ALL_OF = 400;
/** Between those, milliseconds pass, and many times what the drawing takes: a long program is hardly slower. */
const PAUSE = 100;
const PAUSE_OF_COST = 10;
/** Most lines of output that are kept. */
const MOST_LINES = 2000;

/** A call that is not recorded. */
interface Passed {
  readonly name: string;
  readonly args: readonly unknown[];
  readonly result: unknown;
}

/** Records the calls of a program, and what the tables look like after each. */
export class Recorder {
  readonly #tell: (part: Recorded) => void;
  /** Calls that were made. */
  #calls = 0;
  #views = 0;
  #lines = 0;
  /** When a call beyond the first ones is recorded again, on the clock of `performance`. */
  #due = 0;
  #passed: Passed | null = null;
  /** The number of each view by its text. */
  readonly #known = new Map<string, number>();
  readonly #drawn: Drawn[] = [];
  readonly #names = new Map<string, number>();
  readonly #traced = new WeakSet<object>();
  #depth = 0;
  #flushes: () => number = () => 0;

  /**
   * @param tell - told of each step and each line at once: a program that never ends gives no later time to do it. There are at most
   *   some thousand.
   */
  constructor(tell: (part: Recorded) => void) {
    this.#tell = tell;
  }

  /** Calls that were made, with those that are not recorded. */
  get calls(): number {
    return this.#calls;
  }

  /** Takes lines of output. */
  print(text: string): void {
    if (this.#lines > MOST_LINES) return;
    const output = text.replace(/\n$/, '').split('\n');
    this.#lines += output.length;
    this.#tell({ steps: [], views: [], output });
  }

  /** Records the last call, so that the end of a program is drawn. */
  end(): void {
    if (this.#passed === null) return;
    const { name, args, result } = this.#passed;
    this.#step({ call: callText(name, args), ...outcome(result), line: null, printed: this.#lines });
  }

  /** Draws a space from now on. */
  draw(name: string, one: Omit<Drawn, 'name'>): void {
    const number = (this.#names.get(name) ?? 0) + 1;
    this.#names.set(name, number);
    this.#drawn.push({ ...one, name: number === 1 ? name : `${name} ${number}` });
    const before = this.#flushes;
    const { counters } = ('table' in one.space ? one.space.table : one.space) as {
      counters: { flushes: number };
    };
    this.#flushes = () => before() + counters.flushes;
  }

  /**
   * Makes a call. Calls inside of it are a part of it.
   *
   * @param name - how the step names it: `kernel.vmalloc`.
   */
  call<T>(name: string, args: readonly unknown[], make: () => T): T {
    if (this.#depth > 0) return make();
    this.#calls++;
    if (this.#calls > ALL_OF && performance.now() < this.#due) return this.#pass(name, args, make);
    const line = lineOf(new Error('here').stack);
    const printed = this.#lines;
    const call = callText(name, args);
    this.#depth++;
    try {
      const result = make();
      this.#depth--;
      this.#step({ call, ...outcome(result), line, printed });
      return this.traced(result);
    } catch (error) {
      this.#depth = 0;
      this.#step({ call, ...outcome(new Thrown(error)), line, printed });
      throw error;
    }
  }

  /** Makes a call that is not recorded, unless it is the last one. */
  #pass<T>(name: string, args: readonly unknown[], make: () => T): T {
    this.#depth++;
    try {
      const result = make();
      this.#depth--;
      this.#passed = { name, args, result };
      return this.traced(result);
    } catch (error) {
      this.#depth = 0;
      this.#passed = { name, args, result: new Thrown(error) };
      throw error;
    }
  }

  /** An object whose calls are recorded, too: an area that a call returned. */
  traced<T>(value: T): T {
    const label = labelOf(value);
    if (label === null || this.#traced.has(value as object) || !Object.isExtensible(value)) return value;
    const object = value as Record<string, unknown>;
    this.#traced.add(object);
    for (const [name, method] of methodsOf(object)) {
      if (isQuiet(name)) continue;
      Object.defineProperty(object, name, {
        value: (...args: unknown[]) => this.call(`${label}.${name}`, args, () => method.apply(object, args)),
        configurable: true,
      });
    }
    return value;
  }

  #step(step: Omit<Step, 'number' | 'spaces' | 'flushes'>): void {
    const began = performance.now();
    this.#passed = null;
    const views: SpaceView[] = [];
    const spaces = this.#drawn.flatMap((one) => {
      const view = spaceView(one);
      return view === null ? [] : [this.#numberOf(view, views)];
    });
    const number = this.#calls;
    this.#tell({ steps: [{ number, ...step, spaces, flushes: this.#flushes() }], views, output: [] });
    const now = performance.now();
    this.#due = now + Math.max(PAUSE, PAUSE_OF_COST * (now - began));
  }

  #numberOf(view: SpaceView, fresh: SpaceView[]): number {
    const key = JSON.stringify(view, (_, value) => (typeof value === 'bigint' ? `${value}n` : value));
    let number = this.#known.get(key);
    if (number === undefined) {
      number = this.#views++;
      fresh.push(view);
      this.#known.set(key, number);
    }
    return number;
  }
}

/** What a call threw. */
class Thrown {
  readonly error: unknown;

  constructor(error: unknown) {
    this.error = error;
  }
}

function callText(name: string, args: readonly unknown[]): string {
  return `${name}(${args.map(argumentText).join(', ')})`;
}

/** How a step tells of what a call returned or threw. */
function outcome(result: unknown): Pick<Step, 'result' | 'error'> {
  return result instanceof Thrown
    ? { result: null, error: messageOf(result.error) }
    : { result: resultText(result), error: null };
}

/** Calls that only look. */
function isQuiet(name: string): boolean {
  return (
    name === 'constructor' ||
    /^(?:to[A-Z]|is[A-Z]|find|walk|translate|leaves|stats|vmallocinfo|populated|frameAt|getVmAreaSize|vmallocTo|vread|addSink|reset|regions|maps|ownedFrames|port|kfuncs|requireIdle|memUsage|pages$)/.test(
      name,
    )
  );
}

/** Methods of an object and of its classes, by name. */
function methodsOf(object: object): Map<string, (...args: unknown[]) => unknown> {
  const methods = new Map<string, (...args: unknown[]) => unknown>();
  for (
    let at = Object.getPrototypeOf(object);
    at !== null && at !== Object.prototype;
    at = Object.getPrototypeOf(at)
  ) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(at)))
      if (typeof value === 'function' && !methods.has(name)) methods.set(name, value);
  }
  return methods;
}

/** What objects are called, by a member that only they have. */
const LABELS: readonly (readonly [member: string, label: string])[] = [
  ['vmalloc', 'kernel'],
  ['handleFault', 'process'],
  ['allocPages', 'arena'],
  ['unmapNoflush', 'area'],
  ['shrink', 'lazy'],
  ['switchTables', 'mmu'],
  ['mapRange', 'table'],
];

function labelOf(value: unknown): string | null {
  if (typeof value !== 'object' || value === null) return null;
  return LABELS.find(([member]) => member in value)?.[1] ?? null;
}

function resultText(result: unknown): string {
  if (result === undefined) return '';
  if (typeof result === 'bigint') return `0x${result.toString(16)}`;
  return labelOf(result) === null ? valueText(result) : (String(result).split('\n')[0] ?? '');
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
