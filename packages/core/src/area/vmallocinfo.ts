import type { AreaInfo, AreaWord } from './area.js';

/** One line of /proc/vmallocinfo. */
export interface VmallocinfoLine {
  /** `area`: an ordinary one. The other two are lines that Linux prints without a description. */
  readonly type: 'area' | 'vm_map_ram' | 'unpurged';
  /** First byte; `null` when it is hidden from the reader. */
  readonly start: bigint | null;
  /** The byte after the last one, the guard included; `null` when it is hidden. */
  readonly end: bigint | null;
  /** Size in bytes as Linux counts it, the guard included. */
  readonly bytes: bigint;
  /** What the line says of the area. */
  readonly info: AreaInfo;
}

/**
 * Words in the order in which Linux prints them.
 *
 * @internal
 */
export const AREA_WORDS: readonly AreaWord[] = [
  'ioremap',
  'sparse',
  'vmalloc',
  'vmap',
  'user',
  'dma-coherent',
];

/**
 * The text of /proc/vmallocinfo. Hidden addresses are zeros, as Linux shows them to unprivileged readers.
 *
 * Source: Linux 6.12, `mm/vmalloc.c`, vmalloc_info_show and show_purge_info.
 *
 * @param lines - from `parseVmallocinfo`, or your own.
 */
export function formatVmallocinfo(lines: readonly VmallocinfoLine[]): string {
  return lines.map((line) => `${lineOf(line)}\n`).join('');
}

function lineOf({ type, start, end, bytes, info }: VmallocinfoLine): string {
  const place = `0x${hex16(start ?? 0n)}-0x${hex16(end ?? 0n)} ${bytes.toString().padStart(7)}`;
  if (type === 'vm_map_ram') return `${place} vm_map_ram`;
  if (type === 'unpurged') return `${place} unpurged vm_area`;
  const { caller, pages, phys, words = [], vpages, nodes = [] } = info;
  const parts = [
    place,
    ...(caller === undefined ? [] : [caller]),
    ...(pages === undefined || pages === 0 ? [] : [`pages=${pages}`]),
    ...(phys === undefined || phys === 0n ? [] : [`phys=0x${hex16(phys)}`]),
    ...AREA_WORDS.filter((word) => words.includes(word)),
    ...(vpages === true ? ['vpages'] : []),
    ...nodes.map(({ node, pages: number }) => `N${node}=${number}`),
  ];
  return parts.join(' ');
}

function hex16(value: bigint): string {
  return value.toString(16).padStart(16, '0');
}
