import type { LazyArea, VmArea } from '@vmarea/core';
import { Escape } from './planted.js';

/** Which call made a range, which decides what may free it. */
export type Kind = 'area' | 'vmalloc' | 'vmap' | 'device' | 'percpu' | 'lazy' | 'ram' | 'array';

/** A live range, by the results of successful calls. */
export interface Live {
  readonly kind: Kind;
  readonly start: bigint;
  /** Bytes that may be mapped. */
  readonly bytes: bigint;
  /** Bytes after them that may not. */
  readonly guard: bigint;
  /** `null` for a range of vmMapRam. */
  readonly handle: VmArea | null;
  readonly lazy: LazyArea | null;
  /** True when a lazy area allocates its frames; false when the caller gives them. */
  readonly growsFromRam: boolean;
  /** Frames that are freed with it. */
  owned: number;
  /** The area that this one holds the array of pages for. */
  readonly parent: Live | null;
}

/** The judge's own list of live ranges, which never asks the space. */
export class Model {
  readonly live: Live[] = [];
  /** Handles and addresses that were live once. */
  readonly freedHandles: VmArea[] = [];
  readonly freedAddresses: bigint[] = [];
  /** Frames that the test holds itself. */
  readonly held: { readonly pfn: number; readonly order: number }[] = [];

  /** @throws Escape when a new range lies over one that is live. */
  add(one: Live): void {
    const end = one.start + one.bytes + one.guard;
    for (const other of this.live)
      if (one.start < other.start + other.bytes + other.guard && other.start < end)
        throw new Escape(`a new ${one.kind} at ${one.start.toString(16)} overlaps a live ${other.kind}`);
    this.live.push(one);
  }

  /** Live ranges of some kinds. */
  of(...kinds: readonly Kind[]): Live[] {
    return this.live.filter(({ kind }) => kinds.includes(kind));
  }

  /** The range that begins at an address. */
  at(start: bigint): Live | undefined {
    return this.live.find((one) => one.start === start);
  }

  /** @throws Escape when a call freed what the model does not have, or what that call must not free. */
  free(start: unknown, kinds: readonly Kind[]): Live {
    const found = typeof start === 'bigint' ? this.at(start) : undefined;
    if (found === undefined) throw new Escape(`freed at ${String(start)}, where nothing live begins`);
    if (!kinds.includes(found.kind)) throw new Escape(`freed a ${found.kind}, expected ${kinds.join()}`);
    this.remove(found);
    return found;
  }

  /** Forgets a range, and the arrays that go with it. */
  remove(one: Live): void {
    for (const array of this.live.filter(({ parent }) => parent === one)) this.remove(array);
    this.live.splice(this.live.indexOf(one), 1);
    this.freedAddresses.push(one.start);
    if (one.handle !== null) this.freedHandles.push(one.handle);
    for (const list of [this.freedAddresses, this.freedHandles]) if (list.length > 16) list.shift();
  }

  /** Ranges that may be mapped, ascending; adjacent ones are joined, since a walk joins their leaves too. */
  mappable(
    also: readonly { readonly start: bigint; readonly end: bigint }[],
  ): { start: bigint; end: bigint }[] {
    const all = [...this.live.map(({ start, bytes }) => ({ start, end: start + bytes })), ...also];
    all.sort((a, b) => (a.start < b.start ? -1 : 1));
    const joined: { start: bigint; end: bigint }[] = [];
    for (const { start, end } of all) {
      const last = joined.at(-1);
      if (last?.end === start) last.end = end;
      else joined.push({ start, end });
    }
    return joined;
  }
}
