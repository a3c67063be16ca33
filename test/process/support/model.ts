import type { LinuxUser } from '@vmarea/core';

/** Rights as bits: read 1, write 2, execute 4. */
export type Rights = number;

/** Shared memory: the value of each page that was written, by offset. */
export type SharedMemory = Map<number, number>;

/** What a page of a region is. */
interface ModelPage {
  readonly rights: Rights;
  /** `null` for private memory. */
  readonly memory: SharedMemory | null;
  /** Offset in the shared memory. */
  readonly offset: number;
  readonly isCopied: boolean;
}

/** A process as its program sees it: which pages it may use, and what they hold. No frames, no tables, no regions. */
export class ModelProcess {
  readonly pages: Map<number, ModelPage> = new Map();
  /** Values of private pages that were written. */
  readonly values: Map<number, number> = new Map();
  readonly #user: LinuxUser;
  readonly #shift: bigint;

  constructor(user: LinuxUser, pageShift: number) {
    this.#user = user;
    this.#shift = BigInt(pageShift);
  }

  /** The first page of the highest hole below the base, page by page. */
  place(count: number): number {
    let end = Number(this.#user.mmapBase >> this.#shift);
    for (let free = 0; ; ) {
      if (this.pages.has(end - free - 1)) {
        end = end - free - 1;
        free = 0;
      } else if (++free === count) {
        return end - count;
      }
    }
  }

  isFree(first: number, count: number): boolean {
    return this.#range(first, count).every((page) => !this.pages.has(page));
  }

  isWhole(first: number, count: number): boolean {
    return this.#range(first, count).every((page) => this.pages.has(page));
  }

  map(
    first: number,
    count: number,
    rights: Rights,
    memory: SharedMemory | null,
    offset: number,
    isCopied = true,
  ): void {
    this.unmap(first, count);
    for (const page of this.#range(first, count))
      this.pages.set(page, { rights, memory, offset: offset + page - first, isCopied });
  }

  unmap(first: number, count: number): void {
    for (const page of this.#range(first, count)) {
      this.pages.delete(page);
      this.values.delete(page);
    }
  }

  protect(first: number, count: number, rights: Rights): void {
    for (const page of this.#range(first, count)) {
      const one = this.pages.get(page);
      if (one !== undefined) this.pages.set(page, { ...one, rights });
    }
  }

  forget(first: number, count: number): void {
    for (const page of this.#range(first, count)) this.values.delete(page);
  }

  move(first: number, old: number, to: number, count: number): void {
    const kept = Math.min(old, count);
    const pages = this.#range(first, kept).map((page) => this.pages.get(page) as ModelPage);
    const values = this.#range(first, kept).map((page) => this.values.get(page));
    this.unmap(first, old);
    this.unmap(to, count);
    for (let i = 0; i < count; i++) {
      const like = pages[Math.min(i, kept - 1)] as ModelPage;
      const offset = (pages[0] as ModelPage).offset + i;
      this.pages.set(to + i, { ...like, offset });
      const value = values[i];
      if (value !== undefined) this.values.set(to + i, value);
    }
  }

  may(page: number, kind: 'read' | 'write' | 'execute'): boolean {
    const rights = this.pages.get(page)?.rights ?? 0;
    if (kind === 'write') return (rights & 2) !== 0;
    if (kind === 'execute') return (rights & 4) !== 0;
    return (rights & this.#user.readableBy) !== 0;
  }

  read(page: number): number {
    const { memory, offset } = this.pages.get(page) as ModelPage;
    return (memory === null ? this.values.get(page) : memory.get(offset)) ?? 0;
  }

  write(page: number, value: number): void {
    const { memory, offset } = this.pages.get(page) as ModelPage;
    if (memory === null) this.values.set(page, value);
    else memory.set(offset, value);
  }

  fork(): ModelProcess {
    const child = new ModelProcess(this.#user, Number(this.#shift));
    for (const [page, one] of this.pages) {
      if (!one.isCopied) continue;
      child.pages.set(page, one);
      const value = this.values.get(page);
      if (value !== undefined) child.values.set(page, value);
    }
    return child;
  }

  #range(first: number, count: number): number[] {
    return Array.from({ length: count }, (_, i) => first + i);
  }
}
