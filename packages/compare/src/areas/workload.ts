import { type ParsedVmallocinfoLine, VmError } from '@vmarea/core';
import { functionOf } from './vmallocinfo.js';

/** The kind of an area, in the words of /proc/vmallocinfo. `per-cpu` and `other` are ours: their lines have no word. */
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
/** One of `KINDS`. */
export type Kind = (typeof KINDS)[number];

/** The contents of an area. */
export type Content =
  | { readonly type: 'frames'; readonly bytes: number }
  | { readonly type: 'range'; readonly physical: bigint; readonly bytes: number }
  | { readonly type: 'nothing' };

/** An area to rebuild. Sizes are in bytes; page size and architecture of the source do not matter. */
export interface AreaRequest {
  /** Its line in the input, from 1. */
  readonly line: number;
  readonly kind: Kind;
  /** The function that asked for it, without offset and module, or its address; empty when the line does not tell. */
  readonly caller: string;
  /** Its bytes, without the guard. */
  readonly bytes: number;
  /** True when Linux puts a guard after it. */
  readonly guard: boolean;
  readonly content: Content;
  /** True when the area may be mapped, but its line does not tell the contents. */
  readonly unknownContent: boolean;
}

/** How the source's page size was found. */
export type PageSizeSource = 'option' | 'lines' | 'default';

/** All areas of an input. */
export interface Workload {
  readonly lines: number;
  readonly pageBytes: number;
  readonly pageBytesFrom: PageSizeSource;
  /** Pages of the guard that the source puts after an area. */
  readonly guardPages: number;
  readonly requests: readonly AreaRequest[];
  /** `unpurged vm_area` lines: these areas are already freed. */
  readonly unpurged: number;
  /** Lines whose addresses the source hid: they do not span the size. */
  readonly hashed: number;
  /** How often each unknown word occurs. */
  readonly unknownWords: ReadonlyMap<string, number>;
}

/** The page sizes of Linux on 64-bit machines, and the guards that its versions put after an area. */
const PAGE_SIZES = [4096, 16384, 65536];
const GUARD_PAGES = [1, 17, 0];
/** Linux reserves only the areas of the per-cpu allocator in groups, without a guard. */
const PER_CPU_CALLER = 'pcpu_get_vm_areas';

/**
 * Turns the lines of a source kernel into areas to rebuild.
 *
 * @param file - its name, for errors.
 * @param pageBytes - the source's page size. Default: inferred from the lines with `pages=`.
 * @param option - what the caller's users call that size, for errors.
 * @throws VmError `EINVAL` when a line contradicts the page size.
 */
export function workload(
  lines: readonly ParsedVmallocinfoLine[],
  file: string,
  pageBytes?: number,
  option = 'pageSize',
): Workload {
  const found = inferPageSize(lines, pageBytes === undefined ? PAGE_SIZES : [pageBytes]);
  const source = {
    file,
    pageBytes: pageBytes ?? found?.pageBytes ?? 4096,
    guardPages: found?.guardPages ?? 1,
    hint:
      pageBytes === undefined
        ? `pass ${option} with the page size of the kernel that wrote the file`
        : `${option} ${pageBytes} cannot be the page size of the kernel that wrote the file`,
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
 * Finds the page size and guard that explain most lines: `size = (pages + guard) × page size`.
 *
 * The first candidate wins a tie. `null` when no line tells.
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
  /** Advice for a line that contradicts the page size. */
  readonly hint: string;
}

function request(
  line: ParsedVmallocinfoLine,
  next: ParsedVmallocinfoLine | undefined,
  source: Source,
): AreaRequest {
  const kind = kindOf(line);
  if (line.bytes > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new VmError(
      'EINVAL',
      `${source.file}:${line.line}: size ${line.bytes} exceeds every address window`,
    );
  }
  const mapped = mappedBytes(line, source);
  const guardBytes = source.guardPages * source.pageBytes;
  const size = Number(line.bytes);
  const guard = size > guardBytes && hasGuard(line, kind, mapped, next);
  const bytes = guard ? Math.max(size - guardBytes, mapped ?? 0) : size;
  if (bytes % source.pageBytes !== 0) {
    throw new VmError(
      'EINVAL',
      `${source.file}:${line.line}: size ${size} is not a multiple of the page size ${source.pageBytes}`,
      { advice: source.hint },
    );
  }
  const content = contentOf(line, kind, bytes, mapped);
  return {
    line: line.line,
    kind,
    caller: functionOf(line),
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

/** The bytes of the pages that a line counts; `null` when it counts none. */
function mappedBytes(line: ParsedVmallocinfoLine, source: Source): number | null {
  const { pages } = line.info;
  if (pages === undefined) return null;
  const bytes = pages * source.pageBytes;
  if (bytes > Number(line.bytes)) {
    throw new VmError(
      'EINVAL',
      `${source.file}:${line.line}: pages=${pages} of ${source.pageBytes} bytes exceed the size ${line.bytes}`,
      { advice: source.hint },
    );
  }
  return bytes;
}

/**
 * True when the size includes a guard. Of the kernel image's segments only the last has one. The next line tells a
 * segment: its physical address continues without a gap.
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
  // Linux counts no pages for these two kinds, but maps all of the area.
  if (kind === 'vmap' || kind === 'dma-coherent') return { type: 'frames', bytes };
  return { type: 'nothing' };
}
