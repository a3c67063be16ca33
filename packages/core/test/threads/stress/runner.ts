import { VmError } from '../../../src/errors.js';
import { type Attach, type Operation, randomOf, type Station } from './station.js';

/** What a thread of a stress test is told. */
export interface Orders {
  readonly description: unknown;
  readonly seed: number;
  readonly operations: number;
  /** The operation at which it asks to be ended, and goes on; 0: never. */
  readonly killAt: number;
  /** The words of `Control`. */
  readonly control: SharedArrayBuffer;
}

/** What a thread says. */
export type Said =
  /** It is to be ended now, wherever it is. */
  | { readonly kind: 'kill' }
  /** It makes no operation until the pause is over. */
  | { readonly kind: 'paused' }
  | { readonly kind: 'done'; readonly counts: Readonly<Record<string, number>> }
  | { readonly kind: 'failed'; readonly why: string };

/** Words that the driver writes and all threads read. */
export const Control = {
  /** Odd while nobody may work; one more with each change. So a thread that comes late to a pause that is over does not wait for the next. */
  pause: 0,
  /** Recoveries so far. */
  recoveries: 1,
  words: 2,
} as const;

/** Runs the operations of a thread, in the order of its seed. */
export function runStation(attach: Attach, orders: Orders, say: (said: Said) => void): void {
  try {
    const counts = work(attach, orders, say);
    say({ kind: 'done', counts });
  } catch (error) {
    say({ kind: 'failed', why: `seed ${orders.seed}: ${textOf(error)}` });
  }
}

function work(attach: Attach, orders: Orders, say: (said: Said) => void): Record<string, number> {
  const control = new Int32Array(orders.control);
  const random = randomOf(orders.seed);
  const station = attach(orders.description, random);
  const choose = chooser(station.operations);
  const counts: Record<string, number> = {};
  for (let done = 1; done <= orders.operations; done++) {
    pauseIfAsked(control, station, say);
    const operation = choose(random.below(1 << 24));
    untilRecovered(control, () => operation.run());
    counts[operation.name] = (counts[operation.name] ?? 0) + 1;
    if (done === orders.killAt) say({ kind: 'kill' });
    if (random.below(16) === 0) untilRecovered(control, () => station.quiesce());
  }
  while (!untilRecovered(control, () => station.leave())) {
    // Others must come to a quiescent point first.
    pauseIfAsked(control, station, say);
    Atomics.wait(control, Control.pause, Atomics.load(control, Control.pause), 1);
  }
  return counts;
}

function pauseIfAsked(control: Int32Array, station: Station, say: (said: Said) => void): void {
  const pause = Atomics.load(control, Control.pause);
  if (pause % 2 === 0) return;
  untilRecovered(control, () => station.quiesce());
  say({ kind: 'paused' });
  Atomics.wait(control, Control.pause, pause);
}

/** Makes a call, and when a thread died on the way, makes it again after the recovery. */
function untilRecovered<R>(control: Int32Array, call: () => R): R {
  for (;;) {
    const recoveries = Atomics.load(control, Control.recoveries);
    try {
      return call();
    } catch (error) {
      if (!(error instanceof VmError) || error.code !== 'EOWNERDEAD') throw error;
      // No limit: the driver sees every thread end, and recovers.
      Atomics.wait(control, Control.recoveries, recoveries);
    }
  }
}

function chooser(operations: readonly Operation[]): (random: number) => Operation {
  const total = operations.reduce((sum, { weight }) => sum + weight, 0);
  return (random) => {
    let left = random % total;
    for (const operation of operations) {
      left -= operation.weight;
      if (left < 0) return operation;
    }
    throw new Error('no operation');
  };
}

/** An error with all its causes: the text is all that another thread gets. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? String(error.stack) : `${error.stack}\ncaused by ${textOf(error.cause)}`;
}
