import type { Counted } from './page-references.js';
import { VM_SHARED } from './region-flags.js';
import type { MappedObject, Region, RegionOperations } from './region-operations.js';

/** The process of a region, as its object knows it. */
export interface RegionSpace {
  /** The handle of a region. */
  handleOf(record: RegionRecord): Region;
  /** @throws VmError `EBUSY` inside a call of the process. */
  requireIdle(): void;
  /**
   * Unmaps pages of a region, but no copies that the process made for itself. Pages with adjacent frames go with one flush.
   *
   * @param pfn - only where this frame is mapped; -1 for any frame.
   * @returns how many.
   */
  zap(record: RegionRecord, first: number, end: number, pfn: number): number;
}

/** The fields of a region that calls change. Pages are counted from address 0. */
export interface RegionFields {
  /** First page. */
  first: number;
  /** The page after the last one. */
  end: number;
  /** Offset of the first page in the object. */
  pgoff: number;
  /** VM_ bits. */
  bits: number;
  /** Number of its family of anonymous pages (struct anon_vma); 0 for none yet. */
  anon: number;
  /** Its family began with a fork, so it merges with no region of another family. */
  isForked: boolean;
}

/** What a region does not change. */
export interface RegionParts {
  readonly space: RegionSpace;
  readonly object: ObjectState | null;
  readonly operations: RegionOperations | null;
  /** `undefined` for the object's. */
  readonly name: string | undefined;
  readonly data: unknown;
  /** See `RegionRecord.kind`. */
  readonly kind?: number;
}

/** One region of a process. `Region` is what callers hold of it. */
export class RegionRecord implements RegionFields {
  first: number;
  end: number;
  pgoff: number;
  bits: number;
  anon = 0;
  isForked = false;
  isLive = false;
  /** True inside its `RegionOperations.mmap`. */
  isBeingMade = false;
  data: unknown;
  readonly space: RegionSpace;
  readonly object: ObjectState | null;
  readonly operations: RegionOperations | null;
  readonly name: string | undefined;
  /** The same in all threads that share the process; 0 before they know it. */
  id = 0;
  /** Number of its operations and object, where threads share the process; 0 for memory. */
  kind: number;
  /** This thread does not know its operations and object. */
  isUnknown = false;
  /** Its place among the regions of its object. */
  order = 0;
  /** What callers hold of it, once one asked. */
  handle: Region | null = null;

  constructor(first: number, end: number, pgoff: number, bits: number, parts: RegionParts) {
    this.first = first;
    this.end = end;
    this.pgoff = pgoff;
    this.bits = bits;
    this.space = parts.space;
    this.object = parts.object;
    this.operations = parts.operations;
    this.name = parts.name;
    this.data = parts.data;
    this.kind = parts.kind ?? 0;
  }

  /** A region of the same kind for some of its pages. */
  part(first: number, end: number, space: RegionSpace = this.space): RegionRecord {
    const made = recordLike(this, first, end, space);
    made.anon = this.anon;
    made.isForked = this.isForked;
    return made;
  }

  /** Offset of one of its pages in the object. */
  pgoffOf(page: number): number {
    return this.pgoff + (page - this.first);
  }

  get isShared(): boolean {
    return (this.bits & VM_SHARED) !== 0;
  }
}

/** A record of other pages with the same parts. Outside of the class: bundlers rename one that names itself. */
function recordLike(of: RegionRecord, first: number, end: number, space: RegionSpace): RegionRecord {
  const { object, operations, name, data, bits, kind } = of;
  return new RegionRecord(first, end, of.pgoffOf(first), bits, {
    ...{ space, object, operations, name, data, kind },
  });
}

/** What is behind a `RegionObject`. */
export class ObjectState {
  readonly face: MappedObject;
  readonly regions: Set<RegionRecord> = new Set();
  /** The frames of memory without operations, by offset. Each has a reference of the object, where it is counted. */
  readonly pages: Map<number, Counted> = new Map();
  #links = 0;
  /** An undo has put a region at the end that was not there. */
  #isShuffled = false;

  constructor(face: MappedObject) {
    this.face = face;
  }

  /** A region maps it from now on. */
  link(region: RegionRecord): void {
    region.order = ++this.#links;
    this.regions.add(region);
  }

  /** The region maps it again, as if it had never gone. */
  relink(region: RegionRecord): void {
    this.#isShuffled = true;
    this.regions.add(region);
  }

  /** A region maps it no more. */
  unlink(region: RegionRecord): void {
    this.regions.delete(region);
  }

  /** The regions in the order in which they came to be. */
  inOrder(): RegionRecord[] {
    const all = [...this.regions];
    return this.#isShuffled ? all.sort((a, b) => a.order - b.order) : all;
  }

  /** Gives its pages back when nobody maps it. */
  settle(): void {
    if (this.regions.size > 0) return;
    for (const { pfn, counts } of this.pages.values()) counts.put(pfn);
    this.pages.clear();
  }
}
