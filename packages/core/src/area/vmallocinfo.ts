import type { AreaInfo, AreaWord } from './area.js';

/** One line of /proc/vmallocinfo. */
export interface VmallocinfoLine {
  readonly type: 'area' | 'vm_map_ram' | 'unpurged';
  /** First byte, and the byte after the last one, the guard included. */
  readonly start: bigint;
  readonly end: bigint;
  readonly info: AreaInfo;
}

/** Words in the order in which Linux prints them. */
const WORDS: readonly AreaWord[] = ['ioremap', 'sparse', 'vmalloc', 'vmap', 'user', 'dma-coherent'];

/**
 * The text of /proc/vmallocinfo.
 *
 * Source: Linux 6.12, `mm/vmalloc.c`, vmalloc_info_show and show_purge_info; addresses as they are printed to who may see them.
 */
export function formatVmallocinfo(lines: readonly VmallocinfoLine[]): string {
  return lines.map((line) => `${lineOf(line)}\n`).join('');
}

function lineOf({ type, start, end, info }: VmallocinfoLine): string {
  const place = `0x${hex16(start)}-0x${hex16(end)} ${(end - start).toString().padStart(7)}`;
  if (type === 'vm_map_ram') return `${place} vm_map_ram`;
  if (type === 'unpurged') return `${place} unpurged vm_area`;
  const { caller, pages, phys, words = [], vpages, nodes = [] } = info;
  const parts = [
    place,
    ...(caller === undefined ? [] : [caller]),
    ...(pages === undefined || pages === 0 ? [] : [`pages=${pages}`]),
    ...(phys === undefined || phys === 0n ? [] : [`phys=0x${hex16(phys)}`]),
    ...WORDS.filter((word) => words.includes(word)),
    ...(vpages === true ? ['vpages'] : []),
    ...nodes.map(({ node, pages: number }) => `N${node}=${number}`),
  ];
  return parts.join(' ');
}

/**
 * Reads a text of /proc/vmallocinfo with addresses: what `formatVmallocinfo` writes back byte for byte.
 *
 * Callers are kept as they stand, a module and its build id included.
 *
 * @returns the lines; `null` in place of one that is none, or whose addresses are hidden.
 */
export function parseVmallocinfo(text: string): (VmallocinfoLine | null)[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map(parseLine);
}

function parseLine(line: string): VmallocinfoLine | null {
  const [, from, to, rest] = /^0x([0-9a-f]{16})-0x([0-9a-f]{16}) +\d+ ?(.*)$/.exec(line) ?? [];
  if (from === undefined || to === undefined || rest === undefined) return null;
  const place = { start: BigInt(`0x${from}`), end: BigInt(`0x${to}`) };
  if (rest === 'vm_map_ram') return { ...place, type: 'vm_map_ram', info: { isRam: true } };
  if (rest === 'unpurged vm_area') return { ...place, type: 'unpurged', info: {} };
  const caller: string[] = [];
  const info: { -readonly [K in keyof AreaInfo]: AreaInfo[K] } = {};
  const words: AreaWord[] = [];
  const nodes: { node: number; pages: number }[] = [];
  for (const token of rest.split(' ')) {
    const [, key, value] = /^(pages|phys|N\d+)=(.+)$/.exec(token) ?? [];
    if (key === 'pages') info.pages = Number(value);
    else if (key === 'phys') info.phys = BigInt(value as string);
    else if (key !== undefined) nodes.push({ node: Number(key.slice(1)), pages: Number(value) });
    else if ((WORDS as readonly string[]).includes(token)) words.push(token as AreaWord);
    else if (token === 'vpages') info.vpages = true;
    else caller.push(token);
  }
  if (caller.length > 0) info.caller = caller.join(' ');
  if (words.length > 0) info.words = words;
  if (nodes.length > 0) info.nodes = nodes;
  return { ...place, type: 'area', info };
}

function hex16(value: bigint): string {
  return value.toString(16).padStart(16, '0');
}
