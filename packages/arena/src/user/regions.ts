import {
  type Region,
  type RegionFault,
  RegionObject,
  type RegionOperations,
  type UnmappedAreaRequest,
  VmError,
} from '@vmarea/core';
import type { ArenaCore } from '../kernel/core.js';
import { SPAN_BYTES } from '../kernel/geometry.js';
import { serveFault } from './fault.js';
import { LocalUsers } from './local-users.js';
import { SharedUsers } from './shared-users.js';

const SPAN = BigInt(SPAN_BYTES);

/** The regions of processes that map an arena, and what they do in its way (arena_vm_ops, arena_map_mmap). */
export class ArenaRegions {
  readonly object: RegionObject = new RegionObject({ name: 'anon_inode:bpf-map', device: [0, 16], inode: 1 });
  readonly operations: RegionOperations;
  readonly #core: ArenaCore;
  /** The regions of all threads' processes; `null` in an arena of one thread, whose object knows them. */
  readonly #shared: SharedUsers | null;

  constructor(core: ArenaCore) {
    this.#core = core;
    this.#shared = core.sharing === null ? null : new SharedUsers(core, core.sharing, this.object);
    core.users = this.#shared ?? new LocalUsers(core, this.object);
    const shared = this.#shared;
    const whole = (): never => {
      throw new VmError('EINVAL', 'a region of an arena is never split or moved');
    };
    this.operations = Object.freeze({
      getUnmappedArea: (request: UnmappedAreaRequest) => this.#place(request),
      mmap: (region: Region) => this.#mmap(region),
      fault: (fault: RegionFault) => serveFault(core, fault),
      // Threads find the pages of all processes by one address.
      ...(core.rules.isWhole || shared !== null ? { maySplit: whole, mremap: whole } : {}),
      ...(shared === null
        ? {}
        : {
            open: ({ process }: Region) => locked(shared, () => shared.add(process.number)),
            close: ({ process }: Region) => locked(shared, () => shared.remove(process.number)),
          }),
    });
  }

  /** Chooses the address of an mmap (arena_get_unmapped_area). */
  #place({ pgoff, length, address, fixed, find }: UnmappedAreaRequest): bigint {
    const core = this.#core;
    core.requireLive();
    if (pgoff !== 0)
      throw new VmError('EINVAL', `pgoff is ${pgoff}: an arena is mapped from its first page on`);
    if (length > SPAN) throw new VmError('E2BIG', `${length} bytes are more than 4 GiB`);
    const start = core.userStart;
    if (start !== 0n) this.#requireSame(address, length, start);
    const found = fixed ? address : find(length * 2n);
    if (found >> 32n === (found + length - 1n) >> 32n) return found;
    if (start !== 0n || fixed)
      throw new VmError('EFAULT', 'the user range would cross a multiple of 4 GiB', { address: found });
    // Twice the length was free, so the next multiple is inside it.
    return ((found + SPAN - 1n) / SPAN) * SPAN;
  }

  /** An arena has one address and one length in all processes. */
  #requireSame(address: bigint, length: bigint, start: bigint): void {
    const { userPages, geometry } = this.#core;
    const bytes = BigInt(userPages * geometry.pageBytes);
    if (length > bytes) throw new VmError('E2BIG', `${length} bytes are more than the arena has: ${bytes}`);
    if (length !== bytes)
      throw new VmError('EINVAL', `${length} bytes are not all of the arena`, {
        advice: `it has ${bytes} bytes`,
      });
    if (address !== start)
      throw new VmError('EINVAL', 'the arena has another address', {
        address,
        advice: `pass 0x${start.toString(16)}n`,
      });
  }

  #mmap(region: Region): void {
    const shared = this.#shared;
    if (shared === null) this.#mapped(region);
    else
      locked(shared, () => {
        this.#mapped(region);
        shared.add(region.process.number);
      });
  }

  /** A region was made: the first one fixes the user range (bpf_map_mmap, arena_map_mmap). */
  #mapped(region: Region): void {
    const core = this.#core;
    const { rules, geometry, maxEntries } = core;
    core.enter();
    const { start, end, shared, write } = region;
    if (!shared)
      throw new VmError('EINVAL', 'an arena is mapped shared', { advice: 'pass shared: true to mmap()' });
    region.setFlags({ mayExecute: false, ...(write ? {} : { mayWrite: false }) });
    const isPinned = core.userPages > 0;
    if (isPinned && start !== core.userStart)
      throw new VmError('EBUSY', 'the arena has another address', {
        address: start,
        advice: `map it at 0x${core.userStart.toString(16)}n`,
      });
    if (isPinned && end - start !== BigInt(core.userPages * geometry.pageBytes))
      throw new VmError('EBUSY', 'the arena has another length', { address: start });
    if (end - start !== BigInt(maxEntries * geometry.pageBytes))
      throw new VmError('EINVAL', `the region has not ${maxEntries} pages`, {
        address: start,
        advice: 'map all of the arena: later requests use all of its pages',
      });
    if (core.fails('region')) throw new VmError('ENOMEM', 'no memory for the record of a region');
    region.setFlags({
      dontExpand: true,
      ...(rules.isLeftOutByFork ? { dontCopy: true } : {}),
      ...(rules.free === 'late' ? { mixedMap: true } : {}),
    });
    if (!isPinned) core.pin(start);
  }
}

/** Runs a call with the lock of the regions. */
function locked(users: SharedUsers, call: () => void): void {
  users.lock();
  try {
    call();
  } finally {
    users.unlock();
  }
}
