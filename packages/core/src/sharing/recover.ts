import { wrongValue } from '../check/members.js';
import { VmError } from '../errors.js';
import { recoverFrames, type TakenBlock } from '../memory/frames/shared/recover-frames.js';
import type { SharedFrames } from '../memory/frames/shared/shared-frames.js';
import { PageReferences } from '../process/page-references.js';
import { adoptTables } from '../process/shared/open-processes.js';
import { type RecoveredTables, recoverTables } from '../table/shared/recover-tables.js';
import { TableRecords } from '../table/state/table-records.js';
import type { RobustLock } from '../threads/robust-lock.js';
import type { SharedPart } from '../threads/thread-calls.js';
import { type KernelSpace, structOf } from '../vmap/kernel-space.js';
import { mendSpace, type SpaceMend } from '../vmap/shared/mend.js';
import { sharedPartOf } from '../vmap/shared/shared-space.js';
import { Threads } from './threads.js';

/** What a recovery found and did. */
export interface Recovery {
  /** The threads that had died, as `Threads.id` names them. Their slots are free now. */
  readonly threads: readonly number[];
  /** Unfinished calls on tables that were undone, counts that were made anew, tables that nobody had linked. */
  readonly tables: RecoveredTables;
  /** First frames of blocks that unfinished calls took, and that are free now. */
  readonly givenBack: readonly TakenBlock[];
  /**
   * Blocks that the dead threads' own code had allocated. They stay allocated, since another thread may know them. Free
   * them when nobody does.
   */
  readonly held: readonly TakenBlock[];
  /** Free frames that threads had at hand, and that are in the free lists again. */
  readonly cached: number;
  /** What was found in each address space of this thread, and which areas were freed. */
  readonly spaces: readonly SpaceMend[];
  /** What was mended in processes, arenas and the like, each in a sentence. */
  readonly parts: readonly string[];
}

/**
 * Mends what threads left that died: undoes their unfinished calls, gives back what these took, makes counts, free lists
 * and caches anew, and releases their locks. What finished calls of theirs did stays.
 *
 * It waits until no thread is inside a call. Call it in a thread that has all shared objects of the group, after
 * `Threads.declareDead`. A call that throws `EOWNERDEAD` works again afterwards. A recovery that dies can be repeated.
 *
 * @returns what was found; with no `threads` when nobody had died. When others made processes all the time, the last of `parts` asks for another call.
 * @throws VmError `EBUSY` inside a call; `EAGAIN` where this thread may not wait, or has waited ten seconds: nothing was done then.
 * @example
 * ```ts
 * worker.on('exit', () => {
 *   if (threads.declareDead(description.thread)) console.log(recover(threads));
 * });
 * ```
 */
export function recover(threads: Threads): Recovery {
  if (!(threads instanceof Threads))
    throw wrongValue('threads', threads, 'what Threads.create() or attach() returned');
  const { group, here } = threads;
  if (group.hasLeft) throw new VmError('EINVAL', 'this thread has left the group');
  if (threads.isInCall)
    throw new VmError('EBUSY', 'this thread is in the middle of a call', {
      advice: 'a flush sink or callback must not recover',
    });
  const spaces = [...here.spaces].filter(({ lock }) => !lock.isDestroyed);
  let result: Recovery = NOTHING;
  try {
    for (let round = 0; round < MOST_ROUNDS && isNeeded(threads); round++)
      whileNobodyIsInside(threads, spaces, () => {
        // Some may have died while this one waited: their locks must not be given back unmended.
        result =
          group.dead().length > 0 ? both(result, mend(threads, spaces)) : rest(result, threads, spaces);
      });
  } catch (error) {
    // What the first round has found must not be lost.
    if (result === NOTHING || !(error instanceof VmError) || error.code !== 'EAGAIN') throw error;
  }
  return isNeeded(threads) ? { ...result, parts: [...result.parts, ONCE_MORE] } : result;
}

/** Processes that others make while locks are taken leave a part to be mended once more. Others may make some for ever. */
const MOST_ROUNDS = 64;
const ONCE_MORE = 'others were in the way, and not all could be counted: call recover() again';

/** True while a dead thread has left something, or a recovery has. */
function isNeeded(threads: Threads): boolean {
  return threads.group.dead().length > 0 || partsOf(threads).some(isPartial);
}

/** What two recoveries found. */
function both(first: Recovery, second: Recovery): Recovery {
  const { tables } = second;
  return {
    threads: [...first.threads, ...second.threads],
    tables: {
      undone: [...first.tables.undone, ...tables.undone],
      recounted: first.tables.recounted + tables.recounted,
      freed: [...first.tables.freed, ...tables.freed],
      reached: tables.reached,
    },
    givenBack: [...first.givenBack, ...second.givenBack],
    held: [...first.held, ...second.held],
    cached: first.cached + second.cached,
    spaces: [...first.spaces, ...second.spaces],
    parts: [...first.parts, ...second.parts],
  };
}

/** Mends what parts have left, when nobody has died. */
function rest(found: Recovery, threads: Threads, spaces: readonly KernelSpace[]): Recovery {
  for (const space of spaces) adoptTables(space);
  const partial = partsOf(threads).filter(isPartial);
  const told = mendParts(spaces, partial, (part) => part.mendRest?.() ?? []);
  return { ...found, parts: [...found.parts, ...told] };
}

function isPartial(part: SharedPart): boolean {
  return part.isPartial === true;
}

/** Runs a call with all locks, in the order of all calls: those of parts, of area logs, inner ones of parts, the exclusive section. */
function whileNobodyIsInside(threads: Threads, spaces: readonly KernelSpace[], call: () => void): void {
  const { group } = threads;
  const inner = (): void => {
    const locks = partsOf(threads).flatMap((part) => part.inner ?? []);
    withLocks(locks, () => group.sections.recovering(call));
  };
  const shared = spaces.map((space) => sharedPartOf(space)).filter((one) => one !== null);
  shared.sort((a, b) => Number(a.space.table.root - b.space.table.root));
  const alone = shared.reduceRight<() => void>((next, one) => () => one.recovering(next), inner);
  withLocks(
    partsOf(threads).flatMap(({ locks }) => locks),
    alone,
  );
}

const NOTHING: Recovery = Object.freeze({
  threads: [],
  tables: { undone: [], recounted: 0, freed: [], reached: new Set<number>() },
  givenBack: [],
  held: [],
  cached: 0,
  spaces: [],
  parts: [],
});

/** The parts of this thread, in the order of their locks. */
function partsOf({ here }: Threads): SharedPart[] {
  return [...here.parts].sort((a, b) => a.rank - b.rank || a.number - b.number);
}

/** Runs a call with some locks, taken in their order, from dead threads, too. */
function withLocks(locks: readonly RobustLock[], call: () => void): void {
  const taken: RobustLock[] = [];
  try {
    for (const lock of locks) {
      lock.seize();
      taken.push(lock);
    }
    call();
  } finally {
    for (const lock of taken.reverse()) lock.release();
  }
}

/** The recovery, while no other thread is inside a call. */
function mend(threads: Threads, spaces: readonly KernelSpace[]): Recovery {
  const { group } = threads;
  const { registry } = group;
  // Now, since another may have died while this one waited.
  const dead = group.dead();
  const { allocators } = threads;
  const names = dead.map((slot) => registry.tokenOf(slot));
  group.flushes.mend();
  // First only locks, lists and caches: what follows takes and frees frames. Whose frames they are comes later.
  let cached = 0;
  for (const frames of allocators) cached += recoverFrames(frames, { dead: [] }).cached;
  for (const space of spaces) adoptTables(space);
  const tables = recoverTables(threads.tables.contexts, group, dead);
  const mended = spaces.map(mendSpace);
  const parts = mendParts(spaces, partsOf(threads), (part) => part.mend(dead, (id) => names.includes(id)));
  const owned = ownedFrames(spaces);
  const givenBack: TakenBlock[] = [];
  const held: TakenBlock[] = [];
  for (const frames of allocators) {
    const calls = frames.calls as SharedFrames;
    dropMarks(calls, owned, mended, spaces);
    if (mended.some(({ freed, shrunk }) => freed.length + shrunk.length > 0)) dropOwners(calls, owned);
    const records = TableRecords.of(frames);
    const references = PageReferences.of(frames);
    const found = recoverFrames(frames, {
      dead,
      // An area may map what the thread's own code took, and does not own it then.
      isHeld: (pfn, order, isOfCall) =>
        (records.find(pfn) >= 0 && !(isOfCall && isLostRoot(records, tables, pfn))) ||
        // A live thread took it out of the tables, and frees it.
        records.isWaiting(pfn) ||
        // A process or an arena uses it.
        references.isHeld(pfn, order) ||
        (isOfCall ? owned.has(pfn) : calls.marks.has(pfn - calls.state.first)),
      retire: (give) => group.quiescence.retire(give),
    });
    for (const { pfn } of found.givenBack) if (records.find(pfn) >= 0) records.leave(pfn);
    givenBack.push(...found.givenBack);
    held.push(...found.held);
  }
  for (const slot of dead) registry.free(slot);
  return { threads: names, tables, givenBack, held, cached, spaces: mended, parts };
}

/** Mends parts. @returns what they say. */
function mendParts(
  spaces: readonly KernelSpace[],
  parts: readonly SharedPart[],
  mendOne: (part: SharedPart) => readonly string[],
): string[] {
  const mendAll = (): string[] => parts.flatMap(mendOne);
  const shared = spaces.map((space) => sharedPartOf(space)).filter((one) => one !== null);
  return shared.reduce<() => string[]>((next, one) => () => one.mending(next), mendAll)();
}

/** True for the root of a process whose thread died before the kernel knew the process. */
function isLostRoot(records: TableRecords, { reached }: RecoveredTables, pfn: number): boolean {
  return records.levelOf(records.find(pfn)) === 0 && !reached.has(pfn);
}

/**
 * Frames that areas own: those that vmalloc memory and populated lazy areas map. Other areas map what belongs to
 * somebody else.
 */
function ownedFrames(spaces: readonly KernelSpace[]): Set<number> {
  const owned = new Set<number>();
  for (const space of spaces)
    for (const area of space.areas) {
      const vm = structOf(area);
      if (vm === null || (vm.owned === null && vm.lazy === null)) continue;
      for (const { count, leafShift, pfn } of space.table.leaves(area.address, area.bytes)) {
        const pages = count * 2 ** (leafShift - space.pageShift);
        for (let i = 0; i < pages; i++) owned.add(pfn + i);
      }
    }
  return owned;
}

/** Forgets that areas own what unpublished calls had mapped: the caller's frames are the caller's again. */
function dropMarks(
  calls: SharedFrames,
  owned: ReadonlySet<number>,
  mended: readonly SpaceMend[],
  spaces: readonly KernelSpace[],
): void {
  const { first, frames } = calls.state;
  for (const [i, { found }] of mended.entries()) {
    if ((spaces[i] as KernelSpace).machine.ram.calls?.marks !== calls.marks) continue;
    // The frames of a device belong to no allocator.
    for (const { kind, frame, pages } of found)
      for (let pfn = frame; kind === 'leaf-outside' && pfn < frame + pages; pfn++)
        if (pfn >= first && pfn < first + frames && !owned.has(pfn)) calls.marks.set(pfn - first, false);
  }
}

/**
 * Frees blocks that are marked as an area's and that none has: a death came between the unmapping of an area and the
 * freeing of its frames.
 */
function dropOwners(calls: SharedFrames, owned: ReadonlySet<number>): void {
  calls.marks.eachOwned((index) => {
    const pfn = calls.state.first + index;
    if (owned.has(pfn)) return;
    calls.marks.set(index, false);
    calls.giveAny(pfn);
  });
}
