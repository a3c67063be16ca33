import { leafSizes } from '../../table/show/leaf-sizes.js';
import type { KernelSpace } from '../kernel-space.js';

const UNITS = ['', 'K', 'M', 'G', 'T'];

/** The text of /proc/vmallocinfo. With details, each line also says what is populated. */
export function vmallocinfoOf(space: KernelSpace, isDetailed: boolean): string {
  const text = space.areas.vmallocinfo();
  if (!isDetailed) return text;
  const lines = text.split('\n').map((line) => {
    const [, start] = /^0x([0-9a-f]+)-/.exec(line) ?? [];
    const area = start === undefined ? undefined : space.areas.find(BigInt(`0x${start}`));
    // What waits for a purge maps nothing, and its addresses belong to nobody.
    if (area === undefined || line.includes(' unpurged ')) return line;
    const leaves = leafSizes(space.format, space.table.leaves(area.address, area.bytes));
    const bytes = leaves.reduce((sum, leaf) => sum + leaf.bytes * leaf.count, 0);
    const pages = Number(area.bytes >> BigInt(space.pageShift));
    const sizes = leaves.map((leaf) => ` ${sizeName(leaf.bytes)}=${leaf.count}`).join('');
    return `${line} populated=${bytes / space.pageBytes}/${pages}${sizes}`;
  });
  return lines.join('\n');
}

/** 4096 is 4K, 2 ** 21 is 2M. */
function sizeName(bytes: number): string {
  const unit = Math.floor(Math.log2(bytes) / 10);
  return `${bytes / 2 ** (10 * unit)}${UNITS[unit]}`;
}
