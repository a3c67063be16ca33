import type { VmapAreasOptions } from '../../area/areas-options.js';
import type { VmapBlocksOptions } from '../../area/vmap-blocks.js';
import { VmError } from '../../errors.js';
import type { Space } from '../../space/space.js';
import { spansOf } from '../../table/page-range.js';
import { ownerDead, type RobustLock } from '../../threads/robust-lock.js';
import type { ThreadGroup } from '../../threads/thread-group.js';
import { waitWhile } from '../../threads/waiting.js';
import type { VmArea } from '../areas/vm-area.js';
import { nameOf, type VmStruct } from '../areas/vm-struct.js';
import type { KernelSpace } from '../kernel-space.js';
import type { GrowthOptions, SpaceThreads } from '../space-sharing.js';
import type { AreaLog } from './area-log.js';
import { captureSpace, restoreSpace, type SpaceState } from './checkpoint.js';
import { makeGrowth, type SharedGrowth } from './growth.js';
import { LEAST_ROOM, LOW_ROOM, LogWord } from './log-layout.js';
import { parsed, textOf } from './log-text.js';
import { ownedInTables } from './owned-in-tables.js';
import { PurgeGate } from './purge-gate.js';
import { RecordedAreas, RecordedBlocks } from './recorded-areas.js';
import { type PlainOp, Recorder } from './recorder.js';
import { replayOp } from './replay.js';
import { SharedVmArea } from './shared-vm-area.js';
import { type GrowthShape, type PlainStruct, Structs } from './structs.js';

const spaces = new WeakMap<Space, SharedSpace>();

/** The word `closing` while several areas are about to go. */
const SEVERAL = -1;
/** How often a call that frees an area looks whether another thread is still in it, before it waits once. */
const LOOKS = 1000;

/** One record: operations, fields of areas, and counts to compare. */
type PlainRecord = readonly [
  ops: readonly PlainOp[],
  structs: readonly (readonly [number, PlainStruct])[],
  counts: readonly number[],
];

/** Options of areas and blocks that all threads must give alike. */
export interface SharedSetup {
  readonly cpus: number | undefined;
  readonly onlineCpus: number | undefined;
  readonly autoPurge: boolean | undefined;
  readonly blockPages: number | undefined;
}

/**
 * A space of several threads, as one of them sees it.
 *
 * Each thread has all areas as objects of its own. A call that changes areas takes the lock of the log, makes
 * what others have published again, runs on this thread's objects, and publishes its operations as one
 * record. Dead before that, it never happened for the areas.
 *
 * A call on the pages of an area takes no lock. It says which area it is in (`pin`), and then looks whether
 * somebody frees it (`closing`). Who frees it writes `closing` first, and then looks at the pins. So one of
 * the two sees the other.
 */
export class SharedSpace implements SpaceThreads {
  readonly isAdopted: boolean;
  readonly space: KernelSpace;
  readonly group: ThreadGroup;
  readonly log: AreaLog;
  readonly structs: Structs = new Structs();
  readonly lock: RobustLock;
  #setup: SharedSetup = {
    cpus: undefined,
    onlineCpus: undefined,
    autoPurge: undefined,
    blockPages: undefined,
  };
  #recorder!: Recorder;
  #gate!: PurgeGate;
  /** The area that a call of this thread is in; 0 for none. */
  #pinned = 0;
  /** What `closing` says for this thread's call. */
  #closing = 0;
  #isReady = false;
  #isMending = false;
  /** Why this thread cannot go on: its areas differ from those of others. */
  #broken: unknown = null;

  constructor(space: Space, group: ThreadGroup, log: AreaLog, isAdopted: boolean) {
    // Its areas come later: it is in its constructor.
    this.space = space as KernelSpace;
    this.group = group;
    this.log = log;
    this.isAdopted = isAdopted;
    spaces.set(space, this);
    this.lock = group.lock(log.words, LogWord.lock, 'vm areas');
  }

  makeAreas(options: VmapAreasOptions): RecordedAreas {
    const { cpus, onlineCpus, autoPurge } = options;
    this.#setup = { cpus, onlineCpus, autoPurge, blockPages: undefined };
    this.#gate = new PurgeGate(options.sink);
    this.#recorder = new Recorder(this.#gate, (vm) => this.structs.textOf(vm));
    return new RecordedAreas(options, this.#recorder, this.structs);
  }

  makeBlocks(options: VmapBlocksOptions): RecordedBlocks {
    this.#setup = { ...this.#setup, blockPages: options.blockPages };
    return new RecordedBlocks(options, this.#recorder);
  }

  makeHandle(vm: VmStruct): VmArea {
    return new SharedVmArea(this.space, vm, this);
  }

  makeGrowth(vm: VmStruct, options: GrowthOptions): SharedGrowth {
    const { growth, shape } = makeGrowth(this.space, vm, options, this.group.token);
    this.structs.setShape(vm, shape);
    return growth;
  }

  ready(): void {
    this.#isReady = true;
    if (this.isAdopted) {
      this.#replay();
      this.#gate.forget();
    } else if (!this.log.begin(this.#checkpoint())) throw this.#full();
    this.group.onQuiesce(() => {
      if (!this.space.lock.isDestroyed) this.look();
    });
  }

  change<R>(call: () => R): R {
    this.#requireIdle();
    // The call has not begun, so this thread holds nothing while it waits.
    this.lock.acquire(() => this.group.quiesceIdle());
    return this.#changing(call);
  }

  pages<R>(find: () => VmStruct, call: () => R): R {
    this.look();
    // Threads that count pages against a limit come one after the other.
    if (this.structs.shapeOf(find())?.limit != null)
      return this.change(() => {
        requireLive(find());
        return call();
      });
    return this.pinned(find, () => this.space.lock.change(call));
  }

  /** As `pages`, for a call that locks the space itself. */
  pinned<R>(find: () => VmStruct, call: () => R): R {
    this.pin(find);
    try {
      return call();
    } finally {
      this.unpin();
    }
  }

  /**
   * Begins a call on the pages of an area, as `pinned` does.
   *
   * @throws VmError `EINVAL` when the area was freed; `EBUSY` within another call.
   */
  pin(find: () => VmStruct): void {
    this.#requireIdle();
    if (this.#isMending) requireLive(find());
    else this.#pinLive(find);
  }

  /** Ends what `pin` began. */
  unpin(): void {
    if (this.#isMending) return;
    this.#pinned = 0;
    this.group.pin(0);
  }

  look(): void {
    if (!this.#isReady || this.space.lock.isBusy) return;
    if (this.log.hasMoved || this.#gate.hasWaiting) this.#catchUp();
  }

  close(vm: VmStruct): void {
    const number = this.structs.numberOf(vm);
    // Nobody else knows an area that this call made.
    if (this.#recorder.touched.get(vm) === '') return;
    this.#recorder.charge(200);
    if (this.#closing !== number) {
      this.#closing = this.#closing === 0 ? number : SEVERAL;
      Atomics.store(this.log.words, LogWord.closing, this.#closing);
    }
    for (let look = 0; look < LOOKS; look++) if (!this.group.isPinned(number)) return;
    try {
      waitWhile(this.log.words, LogWord.closing, this.#closing);
    } catch {
      // A browser's main thread may not wait.
    }
    if (!this.group.isPinned(number)) return;
    const [dead] = this.group.dead();
    if (dead !== undefined) throw ownerDead(this.group.registry.tokenOf(dead), nameOf(vm));
    throw new VmError('EBUSY', `another thread is in a call on the pages of ${nameOf(vm)}`, {
      address: vm.area.address,
      advice: 'free an area when no thread uses it',
    });
  }

  requireUnowned(vm: VmStruct): void {
    if (vm.owned === null) return;
    throw new VmError('EINVAL', `${nameOf(vm)} owns its frames, which other threads find in its tables`, {
      address: vm.area.address,
      advice: 'vfree it; in a space of several threads its pages stay mapped until then',
    });
  }

  requireAlone(): void {
    this.group.requireAlone('the address space');
  }

  destroyed(): void {
    Atomics.store(this.log.words, LogWord.destroyed, 1);
  }

  /** What another thread must know to have the same areas. */
  get setup(): SharedSetup {
    return this.#setup;
  }

  /** Runs a call that mends what dead threads left, as `change` does. It also takes the lock of a dead thread. */
  recovering<R>(call: () => R): R {
    this.#requireIdle();
    this.lock.seize();
    // A live thread in a call on pages may have frames that are in no table yet. It ends its call, and none begins
    // one: `closing` names every area.
    this.#closing = SEVERAL;
    Atomics.store(this.log.words, LogWord.closing, SEVERAL);
    return this.#changing(() => {
      this.group.awaitPins(this.log.words, LogWord.closing, SEVERAL);
      return call();
    });
  }

  /** Lets calls on pages run within `recovering`: what is built on the space mends its pages. */
  mending<R>(call: () => R): R {
    const { lock } = this.space;
    this.#isMending = true;
    lock.isBusy = false;
    try {
      return call();
    } finally {
      lock.isBusy = true;
      this.#isMending = false;
    }
  }

  /** Runs a call under the lock, which this thread has, and gives the lock back. */
  #changing<R>(call: () => R): R {
    try {
      this.#catchUp();
      this.#makeRoom();
      this.#recorder.begin(this.log.room);
      try {
        return this.space.lock.change(call);
      } finally {
        this.#publish();
      }
    } finally {
      this.#open();
      this.lock.release();
    }
  }

  #requireIdle(): void {
    this.space.lock.requireIdle();
    if (this.#pinned !== 0)
      throw new VmError('EBUSY', 'this thread is in the middle of a call on the pages of an area', {
        advice: 'a getter of an argument may read, but must not change anything',
      });
  }

  /** Pins the area that `find` gives, when it is live and nobody frees it. */
  #pinLive(find: () => VmStruct): void {
    const { words } = this.log;
    for (;;) {
      this.look();
      const vm = find();
      requireLive(vm);
      this.#pinned = this.structs.numberOf(vm);
      this.group.pin(this.#pinned);
      const closing = Atomics.load(words, LogWord.closing);
      if (closing === this.#pinned || closing === SEVERAL) {
        this.unpin();
        this.lock.awaitFree();
        continue;
      }
      // Read after `closing`: who has freed the area published that before it wrote `closing` back.
      if (!this.log.hasMoved) return;
      try {
        this.#catchUp();
        if (vm.isLive) return;
      } catch (error) {
        this.unpin();
        throw error;
      }
      this.unpin();
    }
  }

  /** Ends what `close` began. */
  #open(): void {
    if (this.#closing === 0) return;
    this.#closing = 0;
    Atomics.store(this.log.words, LogWord.closing, 0);
  }

  #catchUp(): void {
    if (this.#broken !== null) throw this.#broken;
    const { lock } = this.space;
    // A sink may look, but must not change anything.
    lock.isBusy = true;
    try {
      this.#replay();
      this.#gate.deliver();
    } finally {
      lock.isBusy = false;
    }
  }

  #replay(): void {
    try {
      for (let news = this.log.read(); news !== null; news = this.log.read()) {
        if (news.checkpoint !== null) this.#restore(parsed(news.checkpoint) as SpaceState);
        for (const record of news.records) this.#replayRecord(parsed(record) as PlainRecord);
      }
    } catch (error) {
      this.#broken = error;
      throw error;
    }
  }

  #replayRecord([ops, structs, counts]: PlainRecord): void {
    const { areas, blocks } = this.space;
    for (const op of ops) replayOp({ areas, blocks, gate: this.#gate }, op);
    for (const [number, plain] of structs) this.#apply(this.structs.find(number) as VmStruct, plain);
    const own = this.#counts();
    if (own.some((count, i) => count !== counts[i]))
      throw new Error(`areas differ between threads: ${own.join(', ')} here, ${counts.join(', ')} there`);
  }

  #restore(state: SpaceState): void {
    const { areas, blocks } = this.space;
    const { purges } = areas;
    for (const [vm, plain] of restoreSpace({ areas, blocks, structs: this.structs }, state))
      this.#apply(vm, plain);
    if (areas.purges === purges) return;
    // It missed purges, and cannot know of which addresses.
    for (const { start, end } of spansOf(this.space.format))
      this.#gate.later(start, end - start, this.space.pageShift);
  }

  #apply(vm: VmStruct, plain: PlainStruct): void {
    this.structs.apply(
      vm,
      plain,
      (one, order, pages) => ownedInTables(this.space, one, order, pages),
      (one, shape) => this.#growthOf(one, shape),
    );
  }

  #growthOf(vm: VmStruct, shape: GrowthShape): SharedGrowth {
    return makeGrowth(this.space, vm, shape, this.group.token, this.group.registry).growth;
  }

  /** Publishes what the call did, when it did anything. */
  #publish(): void {
    const { structs } = this;
    const ops = this.#recorder.end();
    const changed = [...this.#recorder.touched].flatMap(([vm, before]) => {
      const isHere = structs.find(structs.numberOf(vm)) === vm;
      return isHere && structs.textOf(vm) !== before ? [[structs.numberOf(vm), structs.plainOf(vm)]] : [];
    });
    if (ops.length === 0 && changed.length === 0) return;
    const record = textOf([ops, changed, this.#counts()]);
    if (record.length > this.log.room) {
      this.#broken = new Error(`a record of ${record.length} bytes does not fit the area log`);
      throw this.#broken;
    }
    this.log.append(record);
  }

  /** Counts that are equal in all threads after each record. */
  #counts(): number[] {
    const { areas, blocks } = this.space;
    return [areas.count, areas.lazyPages, areas.freeRanges, areas.purges, blocks.count, this.structs.last];
  }

  #checkpoint(): string {
    const { areas, blocks } = this.space;
    return textOf(captureSpace({ areas, blocks, structs: this.structs }));
  }

  /** Begins the other half when this one is nearly full. */
  #makeRoom(): void {
    // When a checkpoint nearly fills a half, not every call may write one.
    const low = Math.min(LOW_ROOM, this.log.roomAtStart / 2);
    if (this.log.room >= Math.max(low, LEAST_ROOM)) return;
    this.log.begin(this.#checkpoint());
    if (this.log.room < LEAST_ROOM) throw this.#full();
  }

  #full(): VmError {
    return new VmError('ENOMEM', `the area log is full: ${this.space.areas.count} areas are live`, {
      advice: 'share the space with a larger log (`logBytes`)',
    });
  }
}

/** The part of a space that several threads use; `null` for a space of one thread. */
export function sharedPartOf(space: Space): SharedSpace | null {
  return spaces.get(space) ?? null;
}

function requireLive(vm: VmStruct): void {
  if (!vm.isLive) throw new VmError('EINVAL', 'the area was freed', { address: vm.area.address });
}
