import type { RegionObject } from '@vmarea/core';
import type { ArenaCore } from '../kernel/core.js';
import type { Users } from '../kernel/users.js';

/** The regions that map an arena of one thread. */
export class LocalUsers implements Users {
  readonly #core: ArenaCore;
  readonly #object: RegionObject;

  constructor(core: ArenaCore, object: RegionObject) {
    this.#core = core;
    this.#object = object;
  }

  get regions(): number {
    return this.#object.regions.length;
  }

  lock(): void {}

  unlock(): void {}

  zap(slot: number, pages: number): void {
    this.#object.zapRange(slot, pages);
  }

  maps(pfn: number): boolean {
    // The arena itself is one user.
    return this.#core.pages.references.count(pfn) > 1;
  }

  countAt(): number {
    return 0;
  }

  mend(): void {}

  check(): readonly string[] {
    return [];
  }
}
