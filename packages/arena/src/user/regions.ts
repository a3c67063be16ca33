import {
  type FaultResult,
  PageReferences,
  type Region,
  type RegionFault,
  RegionObject,
  type RegionOperations,
  type UnmappedAreaRequest,
  VmError,
} from '@vmarea/core';
import { BPF_F_SEGV_ON_FAULT } from '../flags.js';
import { mapNew } from '../kernel/allocate.js';
import type { ArenaCore } from '../kernel/core.js';
import { Failure } from '../kernel/failure.js';
import { SPAN_BYTES } from '../kernel/geometry.js';
import { lowOf } from '../kernel/pointers.js';
import type { Users } from '../kernel/users.js';
import { BUSY_SPAN } from '../slots/codes.js';

const SPAN = BigInt(SPAN_BYTES);

/** The regions of processes that map an arena, and what they do in its way (arena_vm_ops, arena_map_mmap). */
export class ArenaRegions implements Users {
  readonly object: RegionObject = new RegionObject({ name: 'anon_inode:bpf-map', device: [0, 16], inode: 1 });
  readonly operations: RegionOperations;
  readonly #core: ArenaCore;
  readonly #references: PageReferences;

  constructor(core: ArenaCore) {
    this.#core = core;
    this.#references = PageReferences.of(core.kernel.ram);
    const whole = (): never => {
      throw new VmError('EINVAL', 'a region of an arena is never split or moved');
    };
    this.operations = Object.freeze({
      getUnmappedArea: (request: UnmappedAreaRequest) => this.#place(request),
      mmap: (region: Region) => this.#mapped(region),
      fault: (fault: RegionFault) => this.#fault(fault),
      ...(core.rules.isWhole ? { maySplit: whole, mremap: whole } : {}),
    });
  }

  get regions(): number {
    return this.object.regions.length;
  }

  zap(slot: number, pages: number): void {
    this.object.zapRange(slot, pages);
  }

  maps(pfn: number): boolean {
    // The arena itself is one user.
    return this.#references.count(pfn) > 1;
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

  /** Serves a user's fault (arena_vm_fault). */
  #fault(fault: RegionFault): FaultResult {
    const core = this.#core;
    core.enter();
    const { rules, window, slots, flags } = core;
    const { pgoff: slot, address } = fault;
    const low = lowOf(address);
    if (!core.lock()) return rules.faultRetries ? 'retry' : 'BUS';
    let frame = window.frameAt(low);
    if (frame >= 0 && frame === core.scratch) return 'SEGV';
    if (frame < 0) {
      if ((flags & BPF_F_SEGV_ON_FAULT) !== 0) return 'SEGV';
      const code = slots.clear(slot, 1);
      if (code === BUSY_SPAN) return 'retry';
      if (code !== 0) return 'SEGV';
      const failure = mapNew(core, low, 1);
      if (failure !== null) {
        slots.setAvailable(slot, 1);
        const isMemory = failure === Failure.page || failure === Failure.frames;
        return rules.faultIsOom && isMemory ? 'OOM' : 'SEGV';
      }
      frame = window.frameAt(low);
    }
    return rules.free === 'late' ? this.#mapHeld(fault, slot, frame) : mapFor(fault, frame);
  }

  /** Maps a page for a user while its slot is unavailable: no free comes between. */
  #mapHeld(fault: RegionFault, slot: number, frame: number): FaultResult {
    const core = this.#core;
    const code = core.slots.setUnavailable(slot, 1);
    if (code !== 0) return code === BUSY_SPAN ? 'retry' : 'OOM';
    try {
      core.pause('insert');
      return mapFor(fault, frame);
    } finally {
      core.slots.removeUnavailable(slot, 1);
    }
  }
}

function mapFor(fault: RegionFault, frame: number): FaultResult {
  fault.mapFrame(frame);
  return 'mapped';
}
