import { checkAddress } from '../check/address.js';
import { copyList } from '../check/list.js';
import { flagOption, integerOption, wrongValue } from '../check/members.js';
import { type Given, optionsOf } from '../check/options.js';
import { checkSink } from '../check/sink.js';
import { checkWindow } from '../check/window.js';
import { isArray, VmError } from '../errors.js';
import type { FlushSink } from '../table/state/flush-sink.js';
import { TOP } from '../words.js';
import type { AreaInfo } from './area.js';
import type { BusyArea } from './busy-areas.js';
import { checkCaller } from './caller.js';
import { type AddressWindow, PageUnits, type PageWindow, windowName } from './page-units.js';

/** An area that exists from the start. */
export interface EarlyRange {
  /** First byte, the start of a page. */
  readonly address: bigint;
  /** Length in bytes, whole pages. */
  readonly bytes: number | bigint;
  /** What is known of it. Default: nothing. */
  readonly info?: AreaInfo;
}

/** Options of `VmapAreas`: the space and the machine. */
export interface VmapAreasOptions {
  /**
   * The default window of requests, in bytes, as in a `LinuxPolicy`. A page that is only partly inside is
   * not used.
   */
  readonly window: AddressWindow;
  /** log2 of the page size: 12, 14 or 16. */
  readonly pageShift: number;
  /** Bytes kept unmapped after an area, unless the request says otherwise. Default: 0. */
  readonly guardBytes?: number;
  /** log2 of the largest alignment of a device range. Default: `pageShift` + 7 (IOREMAP_MAX_ORDER). */
  readonly ioremapMaxOrder?: number;
  /**
   * Possible processors, 1 to 128. Each has pools for what it freed. One processor has no pools, and always
   * gets the lowest fit.
   *
   * Source: Linux 6.12, vmap_init_nodes. Default: 1.
   */
  readonly cpus?: number;
  /**
   * Processors that are online; they decide how much may wait. Up to `cpus`; with 128, up to 8192: there
   * Linux stops making pools but still counts processors.
   *
   * Source: Linux 6.12, lazy_max_pages; NR_CPUS of arch/x86/Kconfig. Default: `cpus`.
   */
  readonly onlineCpus?: number;
  /**
   * Whether freeing purges by itself. Linux queues a worker, which runs later. Here the call that crosses
   * the threshold does that work before it returns. With `false`, only `purge`, `reserve` and
   * `reservePercpu` purge: this is for callers who know when the worker runs (a replay, a simulator with its
   * own time). `isPurgeDue` tells when Linux would queue it. Default: true.
   */
  readonly autoPurge?: boolean;
  /**
   * Areas that exist from the start, by address: images of the kernel, early device ranges. Default: none.
   */
  readonly early?: readonly EarlyRange[];
  /** Who must forget translations before addresses may be used again. Default: nobody. */
  readonly sink?: FlushSink;
}

/** What a reservation asks for besides its size. */
export interface ReserveOptions {
  /** Alignment in bytes: a power of two of at least a page. Default: a page. */
  readonly align?: bigint;
  /** Bytes to keep free after the area, whole pages. Default: `guardBytes` of the areas. */
  readonly guardBytes?: number;
  /** The window it must lie in, in bytes, the end exclusive. Default: the window of the areas. */
  readonly window?: AddressWindow;
  /**
   * Whether it is a device range (VM_IOREMAP): aligned to its own size, rounded up to a power of two, up to
   * `ioremapMaxOrder`. Default: false.
   */
  readonly ioremap?: boolean;
  /**
   * Number of the processor that asks, below `cpus`. Linux takes numbers from 128 on modulo 128. Default: 0.
   */
  readonly cpu?: number;
  /**
   * Whether a request that finds nothing purges and tries again. Pass `false` when the caller must not wait
   * (GFP_NOWAIT). Default: true.
   */
  readonly mayPurge?: boolean;
  /** What is known of the area. Default: nothing. */
  readonly info?: AreaInfo;
}

const AREAS_OPTIONS = [
  ...(['window', 'pageShift', 'guardBytes', 'ioremapMaxOrder', 'cpus'] as const),
  ...(['onlineCpus', 'autoPurge', 'early', 'sink'] as const),
] as const;
const EARLY_MEMBERS = ['address', 'bytes', 'info'] as const;
const RESERVE_OPTIONS = ['align', 'guardBytes', 'window', 'ioremap', 'cpu', 'mayPurge', 'info'] as const;

/** The most nodes that Linux makes, and the most processors that it can have (NR_CPUS with MAXSMP). */
const MAX_CPUS = 128;
const MAX_ONLINE = 8192;
/** What the options of `VmapAreas` say, checked, with defaults filled in. */
export interface AreasSetup {
  readonly units: PageUnits;
  readonly window: AddressWindow;
  /** The same window in pages. */
  readonly pages: PageWindow;
  readonly guardBytes: number;
  readonly ioremapMaxOrder: number;
  readonly cpus: number;
  readonly onlineCpus: number;
  readonly autoPurge: boolean;
  readonly sink: FlushSink | undefined;
  /** Early areas, in pages. */
  readonly early: readonly Omit<BusyArea, 'node'>[];
}

/** @throws VmError as the constructor of `VmapAreas`. */
export function areasSetup(options: VmapAreasOptions): AreasSetup {
  const given = optionsOf<Partial<VmapAreasOptions>>(options, AREAS_OPTIONS, 'VmapAreas');
  const units = new PageUnits(given.pageShift);
  const cpus = integerOption(given, 'cpus', 1, MAX_CPUS, 1);
  checkSink(given.sink);
  const window = checkWindow(given.window, 'the window of VmapAreas');
  return {
    ...{ units, window, cpus },
    pages: units.window(window),
    guardBytes: given.guardBytes === undefined ? 0 : units.guard(given.guardBytes),
    ioremapMaxOrder: integerOption(given, 'ioremapMaxOrder', 0, 63, units.shift + 7),
    onlineCpus: integerOption(given, 'onlineCpus', 1, cpus === MAX_CPUS ? MAX_ONLINE : cpus, cpus),
    autoPurge: flagOption(given, 'autoPurge', true),
    sink: given.sink as FlushSink | undefined,
    early: given.early === undefined ? [] : earlyAreas(given.early as readonly EarlyRange[], units),
  };
}

/** The options of `reserve`. Their names are checked, their values are not. */
export function reserveOptions(options: ReserveOptions | undefined): Given<ReserveOptions> {
  return optionsOf(options, RESERVE_OPTIONS, 'reserve()');
}

/** @throws VmError `EINVAL` for a description of an area that vmallocinfo cannot print. */
export function checkInfo(info: unknown, what = 'info'): asserts info is AreaInfo {
  if (typeof info !== 'object' || info === null || isArray(info) === undefined)
    throw wrongValue(what, info, 'an object');
  const { caller } = info as AreaInfo;
  if (caller !== undefined) checkCaller(caller);
}

function earlyAreas(list: readonly EarlyRange[], units: PageUnits): Omit<BusyArea, 'node'>[] {
  let last = 0n;
  return copyList(list, 'early', () => true).map((one, i) => {
    const what = `early[${i}]`;
    const range = one === undefined ? null : one;
    const {
      address,
      bytes,
      info = {},
    } = optionsOf<EarlyRange>(range as EarlyRange, EARLY_MEMBERS, what, 'member');
    checkAddress(address, `${what}.address`);
    const size = units.pages(bytes, `${what}.bytes`);
    checkInfo(info, `${what}.info`);
    const start = units.page(address);
    const end = address + units.bytes(size);
    if (units.bytes(start) !== address || address < last || size === 0)
      throw new VmError('EINVAL', 'early areas must be whole pages, in ascending order, without overlap', {
        address,
      });
    if (end > TOP)
      throw new VmError('ERANGE', `${windowName({ start: address, end })} of ${what} leaves 64 bits`, {
        address,
      });
    last = end;
    const area = Object.freeze({ address, bytes: end - address, guardBytes: 0, info });
    return { area, start, size };
  });
}
