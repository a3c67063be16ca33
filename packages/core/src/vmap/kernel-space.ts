import type { Area } from '../area/area.js';
import type { VmapAreasOptions } from '../area/areas-options.js';
import { checkCaller } from '../area/caller.js';
import { VmapAreas } from '../area/vmap-areas.js';
import { VmapBlocks } from '../area/vmap-blocks.js';
import { checkAddress } from '../check/address.js';
import { checkBytes } from '../check/bytes.js';
import { checkFunction } from '../check/function.js';
import { copyList } from '../check/list.js';
import { optionsOf } from '../check/options.js';
import { checkSink } from '../check/sink.js';
import { checkWindow } from '../check/window.js';
import { isArray, shown, VmError } from '../errors.js';
import type { LinuxPolicy } from '../format/linux-policy.js';
import type { PageTableFormat } from '../format/page-table-format.js';
import type { Protection } from '../format/protection.js';
import { checkProtection } from '../format/protection.js';
import { DirectMap } from '../space/direct-map.js';
import { Space } from '../space/space.js';
import type { ThreadCalls } from '../threads/thread-calls.js';
import { VmArea } from './areas/vm-area.js';
import { VmStruct } from './areas/vm-struct.js';
import { checkFlags } from './flags.js';
import { type AddressSpaceOptions, EARLY_AREA, type EarlyArea, type LinuxRelease } from './options.js';
import type { SpaceThreads } from './space-sharing.js';

/**
 * The kernel's address space: a root with vm areas, placed by Linux's policy. All calls of the vmap API work
 * on one.
 */
export class KernelSpace extends Space {
  readonly linux: LinuxPolicy;
  readonly release: LinuxRelease;
  readonly areas: VmapAreas;
  readonly blocks: VmapBlocks;
  /** How other threads use it, too; `null` for one thread. */
  readonly threads: SpaceThreads | null;
  /** The threads themselves, for what is built on the space; `null` for one thread. */
  readonly calls: ThreadCalls | null;
  /** The processor that calls. */
  cpu = 0;

  constructor(options: AddressSpaceOptions) {
    const { format, linux, memory, frames, ram = frames, sink, release = '6.12' } = options;
    // Checked first: they are used only after something was made.
    checkSink(sink);
    const directMap = directMapOf(options.directMap);
    const early =
      options.early === undefined ? [] : copyList(options.early, 'early', () => true).map(earlyArea);
    checkPolicy(linux);
    if (release !== '6.12' && release !== '2026')
      throw new VmError('EINVAL', `release is ${shown(release)}, expected '6.12' or '2026'`);
    const { totalRamPages, root, asid, controls, threads } = options;
    if (threads !== undefined) checkFunction(threads?.openSpace, 'threads.openSpace');
    super({
      format: format as PageTableFormat,
      memory,
      frames,
      ram,
      totalRamPages,
      root,
      // A policy of another format is refused below, by its name.
      tableEntry: isFor(linux, format as PageTableFormat) ? linux.tableEntry : undefined,
      asid,
      controls,
      sink,
      makeTable: threads && ((parts) => threads.makeTable(parts)),
    });
    this.calls = threads?.calls ?? null;
    this.linux = linux;
    this.release = release;
    try {
      requireOwnFormat(linux, this.format);
      checkLeaves(linux, this.format);
      this.requireTranslated(linux.window, 'the vmalloc window');
      this.threads = threads?.openSpace(this) ?? null;
      this.areas = this.#makeAreas(options, early);
      const { blockPages } = options;
      const parts = { areas: this.areas, ...(blockPages === undefined ? {} : { blockPages }) };
      this.blocks = this.threads?.makeBlocks(parts) ?? new VmapBlocks(parts);
      if (directMap !== null) this.#mapMemory(directMap.base);
      this.threads?.ready();
    } catch (error) {
      if (root === undefined) this.abandon();
      throw error;
    }
  }

  /** Runs a call that changes areas; see `ChangeLock.change`. */
  change<R>(call: () => R): R {
    return this.threads === null ? this.lock.change(call) : this.threads.change(call);
  }

  /**
   * Runs a call that changes only pages of one live area.
   *
   * @param find - gives the area, for a space of several threads. It throws when there is none.
   */
  changePages<R>(find: () => VmStruct, call: () => R): R {
    return this.threads === null ? this.lock.change(call) : this.threads.pages(find, call);
  }

  /** Begins a call that only looks: requires that the space lives, and learns what other threads did. */
  look(): void {
    this.lock.requireLive();
    this.threads?.look();
  }

  /** The handle of an area. It is always the same object. */
  handleOf(vm: VmStruct): VmArea {
    vm.handle ??= this.threads?.makeHandle(vm) ?? new VmArea(this, this.linux, vm);
    return vm.handle as VmArea;
  }

  /** A protection without execution (pgprot_nx). */
  withoutExecute(protection: Protection): Protection {
    const checked = checkProtection(protection);
    const { execute, extra } = checked;
    const without = extra & ~(this.linux.executeBits ?? 0n);
    if (!execute && without === extra) return checked;
    return Object.freeze({ ...checked, execute: false, extra: without });
  }

  /** Frees everything and the root. */
  destroy(): void {
    this.change(() => {
      this.threads?.requireAlone();
      this.users?.requireNone();
      const structs = [...this.areas].map(structOf).filter((vm) => vm !== null);
      for (const { owned, lazy } of structs) {
        if (owned !== null) this.machine.owners.checkAllocated(owned);
        lazy?.checkAllocated();
      }
      this.destroyTables();
      this.threads?.destroyed();
      const errors: unknown[] = [];
      for (const vm of structs) {
        vm.isLive = false;
        if (vm.owned !== null) errors.push(...this.machine.owners.free(vm.owned));
        errors.push(...(vm.lazy?.releaseAll() ?? []));
      }
      if (errors.length > 0) throw errors[0];
    });
  }

  #makeAreas(options: AddressSpaceOptions, early: readonly CheckedEarly[]): VmapAreas {
    const { linux, pageShift } = this;
    const { cpus, onlineCpus, autoPurge } = options;
    for (const [i, { address, bytes }] of early.entries())
      this.requireTranslated({ start: address, end: address + bytes }, `early[${i}]`);
    const structs = early.map(earlyStruct);
    const parts: VmapAreasOptions = {
      window: linux.window,
      pageShift,
      guardBytes: linux.guardBytes,
      ioremapMaxOrder: linux.ioremapMaxOrder,
      ...(cpus === undefined ? {} : { cpus }),
      ...(onlineCpus === undefined ? {} : { onlineCpus }),
      ...(autoPurge === undefined ? {} : { autoPurge }),
      early: early.map(({ address, bytes }, i) => ({ address, bytes, info: structs[i] as VmStruct })),
      sink: this.flushes.purgeSink(this.asid),
    };
    const areas = this.threads?.makeAreas(parts) ?? new VmapAreas(parts);
    for (const area of areas) (area.info as VmStruct).area = area;
    return areas;
  }

  #mapMemory(base: bigint): void {
    const { window, protections } = this.linux;
    const { ram } = this.machine;
    const start = base + (BigInt(ram.first) << BigInt(this.pageShift));
    if (start < window.end && start + (BigInt(ram.frames) << BigInt(this.pageShift)) > window.start)
      throw new VmError('EINVAL', 'the direct map overlaps the vmalloc window', { address: start });
    if (this.threads?.isAdopted) this.directMap = new DirectMap(base, ram);
    else this.mapDirectly(base, protections.PAGE_KERNEL);
  }
}

/** A copy of where the direct map begins, checked; `null` for no direct map. */
function directMapOf(given: AddressSpaceOptions['directMap']): { readonly base: bigint } | null {
  if (given === undefined) return null;
  const { base } = optionsOf<{ readonly base: bigint }>(given, ['base'], 'directMap', 'member');
  checkAddress(base, 'directMap.base');
  return { base };
}

function checkPolicy(linux: LinuxPolicy): void {
  const parts: unknown[] = [linux?.window, linux?.leaves, linux?.protections];
  if (parts.some((part) => typeof part !== 'object' || isArray(part) !== false))
    throw new VmError('EINVAL', 'an address space needs `linux`, a Linux policy', {
      advice: 'pass x8664Linux(), arm64Linux({ … }) or riscv64Linux()',
    });
  checkWindow(linux.window, 'the window of `linux`');
  // Nearly every call uses it. The others are checked where they are used.
  checkProtection(linux.protections?.PAGE_KERNEL);
}

function isFor({ formats }: LinuxPolicy, format: PageTableFormat): boolean {
  return isArray(formats) === true && formats.includes(format?.name);
}

/** A policy is for formats that it names: the window and the bits of `extra` would mean something else in others. */
function requireOwnFormat(policy: LinuxPolicy, format: PageTableFormat): void {
  if (isFor(policy, format)) return;
  const { name, formats } = policy;
  const its = isArray(formats) === true ? formats.join(' or ') : `formats that are ${shown(formats)}`;
  throw new VmError('EINVAL', `the policy \`${name}\` is for ${its}, but the format is ${format.name}`, {
    advice: 'pass the format and the policy of one package, made with the same options',
  });
}

function checkLeaves(linux: LinuxPolicy, format: PageTableFormat): void {
  const { vmalloc, vmap, ioremap } = linux.leaves ?? {};
  for (const shifts of [vmalloc, vmap, ioremap])
    if (isArray(shifts) !== true || shifts[0] !== format.pageShift)
      throw new VmError(
        'EINVAL',
        `the policy ${shown(linux.name)} and the format ${format.name} have different page sizes`,
      );
}

/** An early area with all that it is. */
interface CheckedEarly {
  readonly address: bigint;
  readonly bytes: bigint;
  readonly flags: number;
  readonly physical: bigint | null;
  readonly caller: string | undefined;
}

/** A copy of an early area, checked. */
function earlyArea(given: EarlyArea, i: number): CheckedEarly {
  const what = `early[${i}]`;
  // `undefined` stands for no options elsewhere. In a list it is no area.
  const one = given === undefined ? null : given;
  const { address, bytes, flags, physical, caller } = optionsOf<EarlyArea>(
    one as EarlyArea,
    EARLY_AREA,
    what,
    'member',
  );
  checkAddress(address, `${what}.address`);
  if (physical !== undefined) checkAddress(physical, `${what}.physical`);
  if (caller !== undefined) checkCaller(caller, `${what}.caller`);
  return {
    address,
    bytes: checkBytes(bytes, `length of ${what}`, address),
    flags: flags === undefined ? 0 : checkFlags(flags),
    physical: physical === undefined ? null : physical,
    caller,
  };
}

function earlyStruct({ flags, bytes, physical, caller }: CheckedEarly): VmStruct {
  const vm = new VmStruct(flags, bytes, caller);
  vm.physical = physical;
  return vm;
}

/** The vm area of a reservation; `null` for a range of `vmMapRam`. */
export function structOf(area: Area | undefined): VmStruct | null {
  return area?.info instanceof VmStruct ? area.info : null;
}
