import { checkAddress } from '../check/address.js';
import { choiceOption } from '../check/members.js';
import { shown, VmError } from '../errors.js';
import { copyFrame, zeroFrame } from '../space/frame-bytes.js';
import type { Walk, WalkLeaf } from '../table/walk/walk.js';
import { prepareFamily } from './merge.js';
import { frameOf, mapPage, remapPage, replacePage, requireMappable, walkTo } from './pages.js';
import type { ProcessSpace } from './process-space.js';
import { ACCESS, VM_EXEC, VM_WRITE } from './region-flags.js';
import type { AccessKind, FaultResult, RegionFault } from './region-operations.js';
import type { ObjectState, RegionRecord } from './region-record.js';

const KINDS = ['read', 'write', 'execute'] as const;
const RESULTS: readonly string[] = ['mapped', 'retry', 'SEGV', 'BUS', 'OOM'];

/**
 * Serves a fault of user mode.
 *
 * Source: Linux 6.12, the checks of `do_user_addr_fault` and `do_page_fault` in each `arch/.../mm/fault.c`, then
 * `handle_pte_fault` in `mm/memory.c`.
 */
export function handleFault(space: ProcessSpace, address: bigint, kind: AccessKind): FaultResult {
  checkAddress(address);
  const what = choiceOption({ kind }, 'kind', KINDS);
  return space.lock.change(() => {
    const region = address < space.user.taskSize ? space.list.at(space.pageOf(address)) : null;
    if (region === null || !mayAccess(space, region, what)) return 'SEGV';
    if (region.isUnknown) space.requireKnown([region]);
    try {
      return serve(space, region, space.pageOf(address), what);
    } catch (error) {
      if (error instanceof VmError && error.code === 'ENOMEM') return 'OOM';
      throw error;
    }
  });
}

/** What the rights of a region let a process do (access_error). */
function mayAccess({ user }: ProcessSpace, { bits }: RegionRecord, kind: AccessKind): boolean {
  if (kind === 'write') return (bits & VM_WRITE) !== 0;
  if (kind === 'execute') return (bits & VM_EXEC) !== 0;
  return (bits & ACCESS & user.readableBy) !== 0;
}

function serve(space: ProcessSpace, region: RegionRecord, page: number, kind: AccessKind): FaultResult {
  const walk = walkTo(space, page, kind);
  if (walk !== null) return present(space, region, page, kind, walk);
  if (region.operations !== null) return ask(space, region, page, kind);
  if (region.object !== null) {
    insert(space, region, page, kind, pageOfObject(space, region.object, region.pgoffOf(page)));
    return 'mapped';
  }
  if (kind === 'write') {
    prepareFamily(space, region);
    mapOwn(space, region, page, -1);
  } else {
    // do_anonymous_page: the zero page, until somebody writes.
    mapPage(space, region, page, space.half.zeroFrame, { write: false, dirty: false, special: true });
  }
  return 'mapped';
}

/** A page that is mapped, but not for this access (do_wp_page, or a bit that software sets). */
function present(
  space: ProcessSpace,
  region: RegionRecord,
  page: number,
  kind: AccessKind,
  { leaf, fault }: Walk,
): FaultResult {
  const { pfn, protection } = leaf as WalkLeaf;
  const special = space.countsOf(region, pfn) === null;
  if (kind !== 'write') {
    if (fault === null && protection.accessed) return 'mapped';
    remapPage(space, region, page, pfn, { write: protection.write, dirty: protection.dirty, special });
    return 'mapped';
  }
  if (protection.write && protection.dirty && protection.accessed && protection.user) return 'mapped';
  if (protection.write || region.isShared || isOnlyUser(space, region, pfn)) {
    remapPage(space, region, page, pfn, { write: true, dirty: true, special });
    return 'mapped';
  }
  prepareFamily(space, region);
  mapOwn(space, region, page, pfn);
  return 'mapped';
}

/** True for an anonymous page that no other process has (wp_can_reuse_anon_folio). */
function isOnlyUser(space: ProcessSpace, region: RegionRecord, pfn: number): boolean {
  const counts = space.countsOf(region, pfn);
  return counts?.isAnonymous(pfn) === true && counts.count(pfn) === 1;
}

/**
 * Maps a page of the process's own, writable.
 *
 * @param from - whose bytes it gets, and what the page maps now; -1 for zeros and an empty page.
 */
function mapOwn(
  space: ProcessSpace,
  region: RegionRecord,
  page: number,
  from: number,
  isMapped = from >= 0,
): void {
  const pfn = space.takeFrame(true);
  const mode = { write: true, dirty: true, special: false };
  let was = -1;
  try {
    if (from < 0) zeroFrame(space, pfn);
    else copyFrame(space, from, pfn);
    if (isMapped) was = replacePage(space, region, page, pfn, mode);
    else mapPage(space, region, page, pfn, mode);
  } catch (error) {
    space.references.put(pfn);
    throw error;
  }
  if (was >= 0) space.countsOf(region, was)?.put(was);
}

/** The frame of shared memory without operations at an offset. */
function pageOfObject(space: ProcessSpace, object: ObjectState, pgoff: number): number {
  const held = object.pages.get(pgoff);
  if (held !== undefined) return held.pfn;
  const pfn = space.takeFrame(false);
  zeroFrame(space, pfn);
  object.pages.set(pgoff, { pfn, counts: space.references });
  return pfn;
}

/** Maps a frame that somebody else has at an empty page: the frame itself, or a copy for a write to a private region. */
function insert(
  space: ProcessSpace,
  region: RegionRecord,
  page: number,
  kind: AccessKind,
  pfn: number,
): void {
  if (kind === 'write' && !region.isShared) {
    prepareFamily(space, region);
    mapOwn(space, region, page, pfn, false);
    return;
  }
  insertFrame(space, region, page, pfn, kind === 'write');
}

/** Maps a frame at an empty page, and takes a reference. */
export function insertFrame(
  space: ProcessSpace,
  region: RegionRecord,
  page: number,
  pfn: number,
  dirty: boolean,
): void {
  const counts = space.countsOf(region, pfn);
  const write = region.isShared && (region.bits & VM_WRITE) !== 0;
  const map = (): void =>
    mapPage(space, region, page, pfn, { write, dirty: write && dirty, special: counts === null });
  if (counts === null) map();
  else counts.takeFor(pfn, map);
}

/** Lets the region serve the fault (do_fault). */
function ask(space: ProcessSpace, region: RegionRecord, page: number, kind: AccessKind): FaultResult {
  const { operations } = region;
  if (operations?.fault === undefined) return 'BUS';
  let isOpen = true;
  /** What `mapFrame` got: a copy of it may be what the page maps. */
  let given = -1;
  const fault: RegionFault = {
    process: space.face as NonNullable<typeof space.face>,
    region: space.handleOf(region),
    address: space.addressOf(page),
    pgoff: region.pgoffOf(page),
    kind,
    mapFrame: (pfn) => {
      if (!isOpen) throw new VmError('EINVAL', 'the fault is over', { address: space.addressOf(page) });
      requireMappable(space, region, pfn);
      const mapped = frameOf(space, page);
      if (mapped < 0) insert(space, region, page, kind, pfn);
      else if (mapped !== pfn && given !== pfn)
        throw new VmError('EBUSY', 'the page maps another frame', { address: space.addressOf(page) });
      given = pfn;
    },
  };
  try {
    const result: unknown = operations.fault(fault);
    if (typeof result === 'string' && RESULTS.includes(result)) return result as FaultResult;
    throw new VmError('EINVAL', `the operation fault returned ${shown(result)}`, {
      address: fault.address,
      advice: `return ${RESULTS.join(', ')}`,
    });
  } finally {
    isOpen = false;
  }
}
