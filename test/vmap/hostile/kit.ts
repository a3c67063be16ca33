import { Arguments } from './arguments.js';
import { Ledger } from './ledger.js';
import { Lists } from './lists.js';
import type { Kind } from './model.js';
import type { World } from './world.js';

/** One call, ready to be made. */
export interface Attempt {
  readonly run: () => unknown;
  /** Enters what it did, when it succeeds. */
  readonly settle?: (result: unknown) => void;
  /** First address of the range that it frees: it is freed even when a sink throws. */
  readonly frees?: unknown;
  /** It writes, and undoes it when it is refused: counters may change then. */
  readonly writesFirst?: boolean;
  /** It makes a root, whose owner is a new number: the engine's records change, also when the root is freed again. */
  readonly makesRoot?: boolean;
}

/** Makes an attempt from random arguments. */
export type Call = () => Attempt;

/** All kinds of live ranges. */
export const ANY: readonly Kind[] = ['area', 'vmalloc', 'vmap', 'device', 'percpu', 'lazy', 'array', 'ram'];

/** What entries of calls are made with. */
export type Kit = ReturnType<typeof kitOf>;

/** What entries of calls are made with: values of every kind, and where their results go. */
export function kitOf(world: World) {
  const args = new Arguments(world);
  const lists = new Lists(world, args);
  const ledger = new Ledger(world);
  const { dice, pages, options } = world;
  const { window } = options.linux;
  const caller = () => args.options({ caller: 'hostile+0x1/0x2' });
  const vmallocOptions = () =>
    args.options({ caller: 'hostile', zero: dice.oneIn(2), mayPurge: !dice.oneIn(3) });
  /** A call that frees what begins at an address. */
  const freeing = (address: bigint, run: () => unknown, settle: (address: unknown) => unknown): Attempt => ({
    ...{ run, frees: address, settle: () => void (address !== 0n && settle(address)) },
  });
  /** A plain member of a request; a request with hostile getters changes between reads, and gives `null`. */
  const plain = (request: unknown, member: string): unknown => {
    const all = Object.getOwnPropertyDescriptor(Object(request), member);
    return all !== undefined && 'value' in all ? all.value : null;
  };
  const windows = () =>
    dice.of<() => unknown>([
      () => ({ ...window }),
      () => args.hostile({ ...window }),
      () => ({ start: args.address(), end: args.address() }),
      () => args.hostile({ start: window.start, end: window.start + 64n * pages }),
    ])();
  const handle = () => args.or(10, () => world.someHandle());
  return { world, args, lists, ledger, caller, vmallocOptions, freeing, plain, windows, handle };
}
