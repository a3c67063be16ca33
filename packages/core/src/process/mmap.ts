import { checkAddress } from '../check/address.js';
import { checkBytes } from '../check/bytes.js';
import { checkFunction } from '../check/function.js';
import { choiceOption, flagOption, integerOption, textOption, wrongValue } from '../check/members.js';
import { type Given, optionsOf } from '../check/options.js';
import { isArray, VmError } from '../errors.js';
import { mergeAround } from './merge.js';
import { takeOut } from './munmap.js';
import { MMAP_REQUEST, type MmapRequest } from './options.js';
import { unmapPages } from './pages.js';
import { getUnmappedArea } from './place.js';
import type { ProcessThreads } from './process-list.js';
import type { ProcessSpace, RegionCall } from './process-space.js';
import { ALL_MAY, isForbidden, rightsOf, VM_SHARED, VM_SPECIAL, withFlags } from './region-flags.js';
import { RegionObject } from './region-object.js';
import type { RegionOperations } from './region-operations.js';
import { type ObjectState, RegionRecord } from './region-record.js';

/** Offsets above it are more than 2^63 bytes with the largest pages. */
const MOST_PGOFF = 2 ** 47;

const OPERATIONS = ['mmap', 'fault', 'open', 'close', 'maySplit', 'mremap', 'getUnmappedArea'] as const;

/**
 * `mmap`.
 *
 * Source: Linux 6.12, `do_mmap` and `mmap_region` in `mm/mmap.c`.
 *
 * @returns the first address.
 */
export function mmap(space: ProcessSpace, request: MmapRequest): bigint {
  const given = optionsOf<Partial<MmapRequest>>(request, MMAP_REQUEST, 'mmap()');
  const bytes = checkBytes(given.length, 'length');
  const pages = pagesOf(space, bytes);
  const { address = 0n } = given;
  checkAddress(address);
  const fixed =
    given.fixed === undefined || given.fixed === false ? false : choiceOption(given, 'fixed', FIXED);
  const shared = flagOption(given, 'shared', false);
  const pgoff = integerOption(given, 'pgoff', 0, Number.MAX_SAFE_INTEGER, 0);
  const name = given.name === undefined ? undefined : textOption(given, 'name');
  const operations = operationsOf(given);
  const object = objectOf(given);
  const rights = rightsOf(given) | (shared ? VM_SHARED : 0);
  const bits = withFlags(ALL_MAY | rights, given.flags as MmapRequest['flags'], 'flags of mmap()');
  const kind =
    space.threads === null ? 0 : kindIn(space.threads, { object, operations, shared, data: given.data });
  if (pages === null) throw new VmError('ENOMEM', `${bytes} bytes are more than all user addresses`);
  if (pgoff + pages > MOST_PGOFF)
    throw new VmError('EOVERFLOW', `${pages} pages from page ${pgoff} on are beyond the largest offset`);
  return space.call((call) => {
    if (space.list.all.length > space.mostRegions)
      throw new VmError('ENOMEM', `the process has more than ${space.mostRegions} regions`, {
        advice: 'unmap something, or make the process with a larger mostRegions',
      });
    const hint = fixed === false ? roundHint(space, address) : address;
    const first = getUnmappedArea(space, {
      address: hint,
      pages,
      pgoff,
      fixed: fixed !== false,
      shared,
      operations,
    });
    const old = space.list.within(first, first + pages);
    if (fixed === 'noReplace' && old[0] !== undefined)
      throw new VmError('EEXIST', 'a region is there', {
        address: space.addressOf(Math.max(first, old[0].first)),
      });
    if (isForbidden(bits))
      throw new VmError('EACCES', 'the marks forbid a right that is asked for', {
        address: space.addressOf(first),
      });
    const isMemory = operations === null && object === null;
    const region = new RegionRecord(first, first + pages, isMemory ? (shared ? 0 : first) : pgoff, bits, {
      space,
      object: object ?? (isMemory && shared ? sharedMemory(space) : null),
      operations,
      name,
      data: given.data,
      kind,
    });
    if (name !== undefined) space.threads?.requireName(name);
    const gone = takeOut(space, call, first, first + pages);
    place(space, call, region);
    // Last, since a flush cannot be undone.
    if (gone.length > 0) unmapPages(space, gone, first, first + pages, false);
    return space.addressOf(first);
  });
}

/** The number of what a region of a process that threads share does. @throws VmError `EINVAL` for what they cannot share. */
function kindIn(
  threads: ProcessThreads,
  {
    object,
    operations,
    shared,
    data,
  }: {
    readonly object: ObjectState | null;
    readonly operations: RegionOperations | null;
    readonly shared: boolean;
    readonly data: unknown;
  },
): number {
  if (data !== undefined)
    throw new VmError('EINVAL', 'a region of a process that threads share has no `data`', {
      advice: 'keep it by the number of the process and the address of the region',
    });
  if (shared && object === null && operations === null)
    throw new VmError('EINVAL', 'a process that threads share has no shared memory without operations', {
      advice: 'use an arena, or operations with registerRegionKind()',
    });
  return threads.kindOf(object?.face ?? null, operations);
}

const FIXED = ['replace', 'noReplace'] as const;

/** Puts a new region in its place, in a neighbour where it can (mmap_region). */
function place(space: ProcessSpace, call: RegionCall, region: RegionRecord): void {
  call.changes.add(region);
  if ((region.bits & VM_SPECIAL) === 0 && mergeAround(space, call, region) !== region) return;
  if (region.operations?.mmap === undefined) return;
  region.isBeingMade = true;
  try {
    region.operations.mmap(space.handleOf(region));
    call.opened.push(region);
  } finally {
    region.isBeingMade = false;
  }
}

/** Bytes as pages; `null` for more than all user addresses. */
export function pagesOf(space: ProcessSpace, bytes: bigint): number | null {
  return bytes > space.user.taskSize ? null : space.pageOf(space.wholePages(bytes));
}

/** A hint below the lowest address is that address (round_hint_to_min). */
function roundHint({ user, pages }: ProcessSpace, hint: bigint): bigint {
  const page = hint & ~(pages - 1n);
  return page !== 0n && page < user.minAddress ? (user.minAddress + pages - 1n) & ~(pages - 1n) : page;
}

/** Anonymous shared memory (shmem_zero_setup). */
function sharedMemory({ half }: ProcessSpace): ObjectState {
  const object = new RegionObject({
    name: '/dev/zero (deleted)',
    device: [0, 1],
    inode: half.list.newInode(),
  });
  return RegionObject.stateOf(object) as ObjectState;
}

function objectOf({ object }: Given<MmapRequest>): ObjectState | null {
  if (object === undefined) return null;
  const state = RegionObject.stateOf(object);
  if (state === null) throw wrongValue('object', object, 'a RegionObject');
  return state;
}

/** The operations of a request, each a function. The object itself is kept: two regions merge only when they have the same. */
function operationsOf({ operations }: Given<MmapRequest>): RegionOperations | null {
  if (operations === undefined) return null;
  if (typeof operations !== 'object' || operations === null || isArray(operations) !== false)
    throw wrongValue('operations', operations, 'an object with functions');
  for (const name of OPERATIONS) {
    const one = (operations as RegionOperations)[name];
    if (one !== undefined) checkFunction(one, `operations.${name}`);
  }
  return operations as RegionOperations;
}
