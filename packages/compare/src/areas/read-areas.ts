import { parseVmallocinfo } from '@vmarea/core';
import { readSkippingBad, type SkippedLines } from './vmallocinfo.js';
import { type AreaRequest, KINDS, type Kind, type PageSizeSource, workload } from './workload.js';

/** How to read the text of a /proc/vmallocinfo. */
export interface ReadAreasOptions {
  /** What messages call the text: the name of its file. Default: `vmallocinfo`. */
  readonly name?: string;
  /** The page size of the kernel that wrote it, in bytes: a power of two from 4096 to 65536. Default: found from its lines. */
  readonly pageSize?: number;
  /** What messages call that size. Default: `pageSize`. */
  readonly pageSizeName?: string;
  /** Passes over lines that cannot be read. Default: `false`, the first one is refused. */
  readonly skipBad?: boolean;
}

/** What a text has. */
export interface AreaSummary {
  /** Lines that were read. */
  readonly lines: number;
  /** The page size of the kernel that wrote it, and how it was found. */
  readonly pageBytes: number;
  readonly pageBytesFrom: PageSizeSource;
  /** Pages of the guard that this kernel puts after an area. */
  readonly guardPages: number;
  /** Areas to rebuild, by kind. Kinds without an area are absent. */
  readonly areas: Partial<Record<Kind, number>>;
  /** Lines of areas that are already freed. */
  readonly unpurged: number;
  /** Lines whose addresses the source kernel hid. */
  readonly hashedLines: number;
  readonly unknownWords: Readonly<Record<string, number>>;
  /** Lines that could not be read and were passed over. */
  readonly skipped: SkippedLines;
}

/** The areas of a text, to be laid out. */
export interface AreaList {
  readonly name: string;
  readonly summary: AreaSummary;
  /** In the order of the lines. */
  readonly requests: readonly AreaRequest[];
}

/** The same with checked options. */
export function areasOf(
  text: string,
  { name = 'vmallocinfo', pageSize, pageSizeName, skipBad = false }: ReadAreasOptions,
): AreaList {
  const { lines, skipped } = skipBad
    ? readSkippingBad(text, name)
    : { lines: parseVmallocinfo(text, name), skipped: { lines: 0, first: [] } };
  const work = workload(lines, name, pageSize, pageSizeName);
  const { requests } = work;
  const areas = Object.fromEntries(
    KINDS.map((kind) => [kind, requests.filter((request) => request.kind === kind).length] as const).filter(
      ([, number]) => number > 0,
    ),
  );
  const summary = {
    lines: work.lines,
    pageBytes: work.pageBytes,
    pageBytesFrom: work.pageBytesFrom,
    guardPages: work.guardPages,
    areas,
    unpurged: work.unpurged,
    hashedLines: work.hashed,
    unknownWords: Object.fromEntries(work.unknownWords),
    skipped,
  };
  return { name, summary, requests };
}
