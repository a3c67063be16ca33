import type { ParsedVmallocinfoLine } from '@vmarea/core';
import { UsageError } from '../errors.js';
import { functionOf } from './vmallocinfo.js';

/** What an area is, in the words of /proc/vmallocinfo; `per-cpu` and `other` are told apart by what is missing. */
export const KINDS = [
  'vmalloc',
  'vmap',
  'ioremap',
  'sparse',
  'dma-coherent',
  'vm_map_ram',
  'per-cpu',
  'other',
] as const;
export type Kind = (typeof KINDS)[number];

/** What is mapped in an area. */
export type Content =
  | { readonly type: 'frames'; readonly bytes: number }
  | { readonly type: 'range'; readonly physical: bigint; readonly bytes: number }
  | { readonly type: 'nothing' };

/** One area to rebuild: sizes in bytes, nothing of the source's page size or architecture. */
export interface AreaRequest {
  readonly line: number;
  readonly kind: Kind;
  /** Bytes without the guard. */
  readonly bytes: number;
  /** Whether Linux puts a guard behind it. */
  readonly guard: boolean;
  readonly content: Content;
  /** True when areas of this kind may be mapped, but the line does not tell what is. */
  readonly unknownContent: boolean;
}

/** How the page size of the source kernel was found. */
export type PageSizeSource = 'option' | 'lines' | 'default';

/** A whole input, ready to be rebuilt anywhere. */
export interface Workload {
  readonly lines: number;
  readonly pageBytes: number;
  readonly pageBytesFrom: PageSizeSource;
  /** Pages of the guard that the source kernel puts behind an area. */
  readonly guardPages: number;
  readonly requests: readonly AreaRequest[];
  /** `unpurged vm_area` lines: freed already, nothing to rebuild. */
  readonly unpurged: number;
  /** Lines whose addresses do not span their size. */
  readonly hashed: number;
  /** How often each unknown word occurs. */
  readonly unknownWords: ReadonlyMap<string, number>;
}

/** Page sizes that Linux uses on 64-bit machines, and the guards that its versions put behind an area. */
const PAGE_SIZES = [4096, 16384, 65536];
const GUARD_PAGES = [1, 17, 0];
/** The per-cpu allocator's areas are the only ones that Linux reserves in groups, without a guard. */
const PER_CPU_CALLER = 'pcpu_get_vm_areas';

/**
 * Turns the lines of a source kernel into areas to rebuild.
 *
 * @param file - name for errors.
 * @param pageBytes - the source's page size; inferred from the lines with `pages=` when absent.
 * @throws UsageError when a line contradicts the page size.
 */
export function workload(
  lines: readonly ParsedVmallocinfoLine[],
  file: string,
  pageBytes?: number,
): Workload {
  const found = inferPageSize(lines, pageBytes === undefined ? PAGE_SIZES : [pageBytes]);
  const source = {
    file,
    pageBytes: pageBytes ?? found?.pageBytes ?? 4096,
    guardPages: found?.guardPages ?? 1,
    hint:
      pageBytes === undefined
        ? 'pass --page-size with the page size of the kernel that wrote the file'
        : `--page-size ${pageBytes} cannot be the page size of the kernel that wrote the file`,
  };
  const unknownWords = new Map<string, number>();
  const requests: AreaRequest[] = [];
  lines.forEach((line, i) => {
    for (const word of line.unknown) unknownWords.set(word, (unknownWords.get(word) ?? 0) + 1);
    if (line.type !== 'unpurged') requests.push(request(line, lines[i + 1], source));
  });
  return {
    lines: lines.length,
    pageBytes: source.pageBytes,
    pageBytesFrom: pageBytes !== undefined ? 'option' : found !== null ? 'lines' : 'default',
    guardPages: source.guardPages,
    requests,
    unpurged: lines.length - requests.length,
    hashed: lines.filter(({ start }) => start === null).length,
    unknownWords,
  };
}

/**
 * The page size and guard that explain most lines: `size = (pages + guard) × page size`.
 *
 * A tie goes to the earlier candidate; `null` when no line tells.
 */
function inferPageSize(
  lines: readonly ParsedVmallocinfoLine[],
  pageSizes: readonly number[],
): { pageBytes: number; guardPages: number } | null {
  let best: { pageBytes: number; guardPages: number } | null = null;
  let most = 0;
  for (const guardPages of GUARD_PAGES) {
    for (const pageBytes of pageSizes) {
      const votes = lines.filter(
        ({ bytes, info: { pages } }) =>
          pages !== undefined && Number(bytes) === (pages + guardPages) * pageBytes,
      ).length;
      if (votes > most) {
        most = votes;
        best = { pageBytes, guardPages };
      }
    }
  }
  return best;
}

interface Source {
  readonly file: string;
  readonly pageBytes: number;
  readonly guardPages: number;
  /** What to say about a line that contradicts the page size. */
  readonly hint: string;
}

function request(
  line: ParsedVmallocinfoLine,
  next: ParsedVmallocinfoLine | undefined,
  source: Source,
): AreaRequest {
  const kind = kindOf(line);
  if (line.bytes > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new UsageError(
      `${source.file}:${line.line}: size ${line.bytes} is more than any window of addresses has`,
    );
  }
  const mapped = mappedBytes(line, source);
  const guardBytes = source.guardPages * source.pageBytes;
  const size = Number(line.bytes);
  const guard = size > guardBytes && hasGuard(line, kind, mapped, next);
  const bytes = guard ? Math.max(size - guardBytes, mapped ?? 0) : size;
  if (bytes % source.pageBytes !== 0) {
    throw new UsageError(
      `${source.file}:${line.line}: size ${size} is no multiple of the page size ${source.pageBytes}; ${source.hint}`,
    );
  }
  const content = contentOf(line, kind, bytes, mapped);
  return {
    line: line.line,
    kind,
    bytes,
    guard,
    content,
    unknownContent: content.type === 'nothing' && kind !== 'sparse',
  };
}

function kindOf(line: ParsedVmallocinfoLine): Kind {
  if (line.type === 'vm_map_ram') return 'vm_map_ram';
  if (functionOf(line) === PER_CPU_CALLER) return 'per-cpu';
  const order = ['sparse', 'ioremap', 'vmalloc', 'vmap', 'dma-coherent'] as const;
  return order.find((kind) => line.info.words?.includes(kind)) ?? 'other';
}

/** Bytes of the pages that the line counts, or `null` when it counts none. */
function mappedBytes(line: ParsedVmallocinfoLine, source: Source): number | null {
  const { pages } = line.info;
  if (pages === undefined) return null;
  const bytes = pages * source.pageBytes;
  if (bytes > Number(line.bytes)) {
    throw new UsageError(
      `${source.file}:${line.line}: pages=${pages} of ${source.pageBytes} bytes do not fit into the size ${line.bytes}; ` +
        source.hint,
    );
  }
  return bytes;
}

/**
 * Whether the size counts a guard. Kernel image segments have none but for the last: they are told by the
 * next line, whose physical address continues theirs without a gap.
 */
function hasGuard(
  line: ParsedVmallocinfoLine,
  kind: Kind,
  mapped: number | null,
  next: ParsedVmallocinfoLine | undefined,
): boolean {
  if (kind === 'per-cpu' || kind === 'vm_map_ram') return false;
  if (mapped === Number(line.bytes)) return false;
  const { phys } = line.info;
  const continues = kind === 'vmap' && phys !== undefined && next?.info.phys === phys + line.bytes;
  return !continues;
}

function contentOf(line: ParsedVmallocinfoLine, kind: Kind, bytes: number, mapped: number | null): Content {
  if (kind === 'sparse') return { type: 'nothing' };
  const { phys } = line.info;
  if (phys !== undefined) return { type: 'range', physical: phys, bytes };
  if (mapped !== null) return mapped === 0 ? { type: 'nothing' } : { type: 'frames', bytes: mapped };
  // Linux counts no pages for these two, yet maps them from end to end.
  if (kind === 'vmap' || kind === 'dma-coherent') return { type: 'frames', bytes };
  return { type: 'nothing' };
}
