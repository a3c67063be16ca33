import { VmError } from '../../errors.js';
import { contextBehind } from '../../table/state/registry.js';
import type { RobustLock } from '../../threads/robust-lock.js';
import type { ProcessThreads, SharedRegionSpace } from '../process-list.js';
import { RegionKinds } from '../region-kinds.js';
import { RegionObject } from '../region-object.js';
import type { MappedObject, RegionOperations } from '../region-operations.js';
import { RegionRecord } from '../region-record.js';
import type { ProcessLock } from './process-lock.js';
import { type PlainRegion, RegionWords, regionBytes } from './region-words.js';
import type { SharedList } from './shared-list.js';

/** A process for another thread. */
export interface ProcessDescription {
  readonly number: number;
  readonly asid: number;
  readonly format: string;
  readonly mostRegions: number;
  readonly regions: SharedArrayBuffer;
}

/** A process that several threads use, as one of them sees it. */
export class SharedProcess implements ProcessThreads {
  readonly words: RegionWords;
  readonly lock: RobustLock;
  readonly list: SharedList;
  #number: number;
  readonly space: SharedRegionSpace;
  readonly #kinds: RegionKinds;
  readonly #byId: Map<number, RegionRecord> = new Map();
  /** Of the list that this thread has read or written, and of the kinds that it knew then. */
  #version = 0;
  #kindsVersion = 0;

  /** @param number - 0 for a new process. */
  constructor(space: SharedRegionSpace, list: SharedList, buffer: SharedArrayBuffer, number: number = 0) {
    this.space = space;
    this.#number = number;
    this.list = list;
    this.words = new RegionWords(buffer, space.mostRegions);
    this.lock = list.lockOf(space.asid);
    this.#kinds = RegionKinds.of(list.sharing);
  }

  get number(): number {
    return this.#number;
  }

  get isGone(): boolean {
    return this.words.isGone;
  }

  /** The process has a face in this thread, and a number. */
  name(number: number): void {
    this.#number = number;
    this.list.know(number, this.space.asid, this.space.table, this);
  }

  open(): void {
    this.publish();
    this.join();
    this.list.markOpen(this.space.asid);
  }

  /** From now on this thread's calls exclude those of other threads. */
  join(): void {
    (this.space.lock as ProcessLock).holder = this;
  }

  together<R>(call: () => R): R {
    return this.list.sharing.together(call);
  }

  alone<R>(call: () => R): R {
    return this.list.sharing.alone(call);
  }

  look(): void {
    const kinds = this.#kinds.version;
    for (;;) {
      const version = this.words.version;
      if (version === this.#version && kinds === this.#kindsVersion) return;
      const regions = this.words.read(version);
      if (regions === null) continue;
      this.#adopt(regions);
      this.#version = version;
      this.#kindsVersion = kinds;
    }
  }

  publish(): void {
    const { list } = this.space;
    if (!list.isChanged) return;
    list.isChanged = false;
    const regions = list.all.map((record) => this.#plainOf(record));
    this.#version = this.words.write(regions);
    const live = new Set(regions.map(({ id }) => id));
    for (const id of this.#byId.keys()) if (!live.has(id)) this.#byId.delete(id);
  }

  kindOf(object: MappedObject | null, operations: RegionOperations | null): number {
    if (object === null && operations === null) return 0;
    const number = this.#kinds.numberOf(object, operations);
    if (number > 0) return number;
    throw new VmError(
      'EINVAL',
      operations === null
        ? 'a process that threads share has no shared memory without operations'
        : 'the operations of a region of a process that threads share have no number',
      { advice: 'call registerRegionKind() in each thread, or make the kernel without threads' },
    );
  }

  requireName(name: string): void {
    this.words.nameAt(name);
  }

  close(): void {
    this.words.destroy();
    this.forget();
  }

  forget(): void {
    const { list } = this.space;
    for (const region of list.all) {
      region.isLive = false;
      region.object?.unlink(region);
    }
    list.all = [];
    contextBehind(this.space.view).isDestroyed = true;
    this.list.sweep();
    this.list.sharing.forget(this.#number);
  }

  describe(): ProcessDescription {
    const { asid, mostRegions, format } = this.space;
    this.list.markShared(asid);
    const regions = this.words.words.buffer as SharedArrayBuffer;
    return { number: this.#number, asid, mostRegions, format: format.name, regions };
  }

  #adopt(regions: readonly PlainRegion[]): void {
    const { list } = this.space;
    const live = new Set(regions.map(({ id }) => id));
    for (const [id, record] of this.#byId) {
      if (live.has(id)) continue;
      record.isLive = false;
      record.object?.unlink(record);
      this.#byId.delete(id);
    }
    list.all = regions.map((region) => this.#recordOf(region));
    list.isChanged = false;
  }

  #recordOf(region: PlainRegion): RegionRecord {
    const { id, first, end, pgoff, bits, anon, isForked, kind, name } = region;
    const known = this.#byId.get(id);
    if (known !== undefined && known.isUnknown === (this.#kinds.find(kind) === undefined && kind > 0)) {
      Object.assign(known, { first, end, pgoff, bits, anon, isForked });
      return known;
    }
    const { object = null, operations = null } = this.#kinds.find(kind) ?? {};
    const record = new RegionRecord(first, end, pgoff, bits, {
      space: this.space,
      object: object === null ? null : RegionObject.stateOf(object),
      ...{ operations, name, data: undefined },
    });
    Object.assign(record, { anon, isForked, kind, id, isLive: true });
    record.isUnknown = kind > 0 && this.#kinds.find(kind) === undefined;
    record.object?.link(record);
    if (known !== undefined) {
      known.isLive = false;
      known.object?.unlink(known);
    }
    this.#byId.set(id, record);
    return record;
  }

  #plainOf(record: RegionRecord): PlainRegion {
    if (record.id === 0) record.id = this.words.newId();
    this.#byId.set(record.id, record);
    const { id, first, end, pgoff, bits, anon, isForked, kind, name } = record;
    return { id, first, end, pgoff, bits, anon, isForked, kind, name };
  }
}

/** Begins to share a process. Outside of the class: bundlers rename one that names itself. */
export function openProcess(space: SharedRegionSpace, list: SharedList): SharedProcess {
  return new SharedProcess(space, list, new SharedArrayBuffer(regionBytes(space.mostRegions)));
}

/** How threads share a process; `null` for a process of one thread. */
export function sharedProcessOf(threads: ProcessThreads | null): SharedProcess | null {
  return threads instanceof SharedProcess ? threads : null;
}
