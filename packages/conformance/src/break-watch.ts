import { words } from '@vmarea/core';
import { ensure, hex } from './assert.js';
import { kindOf } from './bytes.js';
import { firstAddress, type Machine } from './machine.js';

/** What was seen of one entry. */
interface Watched {
  readonly level: number;
  /** First address that it translates. */
  readonly va: bigint;
  readonly bytes: bigint;
  /** Its valid values since it was last invalid in a flush over its addresses: a TLB may hold any of them. */
  cached: bigint[];
}

/**
 * Watches entries before a call, in each of its flushes and after it: between two valid values that need a break, a flush
 * must have seen the entry invalid. Both who writes before the flush and who flushes before the write is found.
 */
class BreakWatch {
  readonly #machine: Machine;
  readonly #watched = new Map<string, Watched>();

  /**
   * Watches the entries that walks of addresses read, from the root to the leaves.
   *
   * @param addresses - one for each leaf that the call may change.
   */
  constructor(machine: Machine, addresses: readonly bigint[]) {
    this.#machine = machine;
    const first = firstAddress(machine.format);
    for (const address of addresses) {
      for (const { level, entry } of machine.reads(address)) {
        const bytes = 1n << BigInt((machine.format.levels[level] as { shift: number }).shift);
        const va = address - ((address - first) % bytes);
        const cached = isLookedAt(machine, level, entry) ? [entry] : [];
        this.#watched.set(`${level} ${va}`, { level, va, bytes, cached });
      }
    }
  }

  /** Looks at every entry, in a flush of a range. */
  flushed(va: bigint, bytes: bigint): void {
    for (const one of this.#watched.values()) {
      this.#look(one, va < one.va + one.bytes && one.va < va + bytes);
    }
  }

  /** Looks at every entry when the call has returned. */
  done(): void {
    for (const one of this.#watched.values()) this.#look(one, false);
  }

  #look(one: Watched, isFlushed: boolean): void {
    const { format } = this.#machine;
    const { level, va } = one;
    const entry = this.#machine.reads(va).find((read) => read.level === level)?.entry;
    // The table that held it is out of the tree: what stands above it is watched, too.
    if (entry === undefined) one.cached = [];
    else if (!isLookedAt(this.#machine, level, entry)) {
      if (isFlushed) one.cached = [];
    } else {
      for (const old of one.cached) {
        ensure(
          old === entry || !format.needsBreak(words(old), words(entry), level),
          `the entry of level ${level} at ${hex(va)} went from ${hex(old)} to ${hex(entry)} without a break`,
        );
      }
      if (!one.cached.includes(entry)) one.cached.push(entry);
    }
  }
}

/** True when the MMU may keep an entry. */
function isLookedAt({ format }: Machine, level: number, entry: bigint): boolean {
  const kind = kindOf(format, level, entry);
  return kind !== 'none' && kind !== 'absent';
}

/** Watches a call: its flushes, and what stands there afterwards. */
export function watchingBreaks(machine: Machine, addresses: readonly bigint[], call: () => void): void {
  const watch = new BreakWatch(machine, addresses);
  const { onFlush } = machine;
  machine.onFlush = (flush) => {
    onFlush(flush);
    watch.flushed(flush.va, flush.bytes);
  };
  try {
    call();
  } finally {
    machine.onFlush = onFlush;
  }
  watch.done();
}
