import { type FlushSink, flagOption, optionsOf, VmError } from '@vmarea/core';
import type { Mmu } from './mmu.js';

/** How flushes reach several processors. */
export interface ShootdownOptions {
  /** True: a flush is only noted, and each processor does it in `deliver`. Default: false, it is done when the call returns. */
  readonly queued?: boolean;
}

/** One flush sink for several processors. */
export interface Shootdown extends FlushSink {
  /**
   * Executes an invalidation of the architecture on one processor, and on the others when it reaches all (TLBI …IS).
   *
   * @param on - the processor that executes it. It is done there at once; on the others it waits when flushes are queued.
   * @throws VmError as `Mmu.invalidate`.
   */
  invalidate(on: Mmu, name: string, ...operands: readonly (bigint | number)[]): void;
  /**
   * Does the flushes that wait, oldest first.
   *
   * @param on - the processor that does them. Default: all of them.
   * @returns how many it did.
   */
  deliver(on?: Mmu): number;
  /** How many flushes wait on a processor. Default: on all of them together. */
  pending(on?: Mmu): number;
}

/**
 * Makes one sink for several processors, as an operating system's shootdown: each of them forgets what a flush names.
 *
 * With `queued`, a request and its completion are two moments, as on real processors before the interrupt arrives. The caller
 * delivers; until then a processor may serve what the tables no longer say.
 *
 * @param processors - at least one.
 * @throws VmError `EINVAL` for a list without a processor, and an unknown option.
 * @example
 * ```ts
 * const sink = shootdown([cpu0, cpu1], { queued: true });
 * const table = new PageTable({ format, memory, frames, sink });
 * table.unmap(va, 4096); // both may still serve it
 * sink.deliver(cpu1); // cpu0 still may
 * ```
 */
export function shootdown(processors: readonly Mmu[], options?: ShootdownOptions): Shootdown {
  const given = optionsOf<Partial<ShootdownOptions>>(options, ['queued'], 'shootdown()');
  const isQueued = flagOption(given, 'queued', false);
  const all: readonly Mmu[] = Array.isArray(processors) ? [...processors] : [];
  if (all.length === 0 || !all.every((one) => typeof one?.sink?.flush === 'function'))
    throw new VmError('EINVAL', 'the processors are no list of at least one Mmu', {
      advice: 'pass [mmu0, mmu1]',
    });
  const waiting = new Map<Mmu, (() => void)[]>(all.map((one) => [one, []]));
  const queueOf = (on: Mmu): (() => void)[] => {
    const queue = waiting.get(on);
    if (queue === undefined)
      throw new VmError('EINVAL', 'this Mmu is none of the processors of the shootdown');
    return queue;
  };
  const ask = (on: Mmu, work: () => void): void => {
    if (isQueued) queueOf(on).push(work);
    else work();
  };
  return {
    flush(va, bytes, leafShift, tablesFreed, asid) {
      // The list of tables is valid during the call alone.
      const tables = isQueued ? [...tablesFreed] : tablesFreed;
      for (const one of all) ask(one, () => one.sink.flush(va, bytes, leafShift, tables, asid));
    },
    invalidate(on, name, ...operands) {
      queueOf(on);
      const invalidation = on.find(name);
      const { asid } = on;
      on.forget(invalidation, operands);
      if (!invalidation.broadcast) return;
      for (const one of all) if (one !== on) ask(one, () => one.forget(invalidation, operands, asid));
    },
    deliver(on) {
      const queues = on === undefined ? [...waiting.values()] : [queueOf(on)];
      let done = 0;
      for (const queue of queues) {
        for (let work = queue.shift(); work !== undefined; work = queue.shift()) {
          done++;
          work();
        }
      }
      return done;
    },
    pending(on) {
      const queues = on === undefined ? [...waiting.values()] : [queueOf(on)];
      return queues.reduce((sum, { length }) => sum + length, 0);
    },
  };
}
