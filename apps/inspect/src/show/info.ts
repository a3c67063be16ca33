import type { FoundRoots, Image, ImageRange, RootCheck, RootOrigin, RootRole } from '@vmarea/image';
import { machineOf } from '../machines/machines.js';

/** What a dump is, as data. */
export interface ImageInfo {
  readonly container: {
    readonly kind: string;
    readonly isFlattened: boolean;
    readonly files: number;
  };
  /** ELF's number and the packages' name; `null` when neither the dump nor its best root says it. */
  readonly machine: { readonly number: number; readonly name: string } | null;
  /** Bytes of a page; `null` when nobody says it. */
  readonly pageSize: number | null;
  readonly kernel: {
    /** Its release; `null` when nobody says it. */
    readonly release: string | null;
    /** Where VMCOREINFO was found: one text for each kernel in memory. */
    readonly vmcoreinfo: readonly { readonly from: string; readonly release: string | null }[];
  };
  readonly memory: {
    /** The first ranges of physical addresses: at most `most` of them. */
    readonly ranges: readonly ImageRange[];
    /** Number of all ranges. */
    readonly total: number;
    /** Bytes of all ranges, whether the dump has them or left them out. */
    readonly bytes: bigint;
  };
  /** Number of processors whose registers the dump has. */
  readonly processors: number;
  /** The roots that were found, best first. */
  readonly roots: readonly RootInfo[];
  /** Number of the one that is used when none is named; `null` for none. */
  readonly best: number | null;
  /** What could not be used, and why. */
  readonly reasons: readonly string[];
  readonly warnings: readonly string[];
}

/** A root that was found, and why one may believe it. */
export interface RootInfo {
  /** Counted from 1: a name for `chooseRoot`. */
  readonly number: number;
  /** Physical address in bytes. */
  readonly root: bigint;
  readonly role: RootRole;
  readonly origin: RootOrigin;
  /** The format's name; that of its family when it could not be made. */
  readonly format: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly from: string;
  readonly isBelieved: boolean;
  /** Why it is not believed; `null` when it is. */
  readonly whyNot: string | null;
  readonly checks: readonly RootCheck[];
}

/**
 * Says what a dump is: container, machine, kernel, memory, and the roots with reasons.
 *
 * @param found - what `findRoots` found.
 * @param most - most ranges of memory that are listed. Default: 16.
 */
export function describeImage(image: Image, found: FoundRoots, most = 16): ImageInfo {
  const { container, uts, processors, warnings } = image;
  const { candidates, best, vmcoreinfo, reasons } = found;
  const ranges: ImageRange[] = [];
  let total = 0;
  let bytes = 0n;
  for (const range of image.ranges()) {
    if (total++ < most) ranges.push(range);
    bytes += range.bytes;
  }
  const machine = machineOf(image.machine ?? best?.machine ?? null);
  const number = image.machine ?? machine?.number ?? null;
  const releases = vmcoreinfo.map((info) => ({ from: info.from, release: info.value('OSRELEASE') }));
  return {
    container,
    machine: number === null ? null : { number, name: machine?.name ?? `ELF machine ${number}` },
    pageSize: image.pageSize ?? (best?.table ? 2 ** best.table.format.pageShift : null),
    kernel: { release: releases[0]?.release ?? (uts?.[2] || null), vmcoreinfo: releases },
    memory: { ranges, total, bytes },
    processors: processors.length,
    roots: candidates.map(
      ({ root, role, origin, format, options, from, isBelieved, whyNot, checks, table }, i) => ({
        number: i + 1,
        ...{
          root,
          role,
          origin,
          format: table?.format.name ?? format,
          options,
          from,
          isBelieved,
          whyNot,
          checks,
        },
      }),
    ),
    best: best === null ? null : candidates.indexOf(best) + 1,
    ...{ reasons, warnings },
  };
}
