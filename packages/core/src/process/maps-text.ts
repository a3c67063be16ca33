import type { ProcessSpace } from './process-space.js';
import { VM_EXEC, VM_READ, VM_WRITE } from './region-flags.js';
import type { RegionRecord } from './region-record.js';

/** Column of the name: `seq_setwidth(m, 25 + sizeof(void *) * 6 - 1)`. */
const WIDTH = 25 + 8 * 6 - 1;

/**
 * The text of /proc/PID/maps.
 *
 * Source: Linux 6.12, `show_map_vma` and `show_vma_header_prefix` in `fs/proc/task_mmu.c`.
 */
export function mapsText(space: ProcessSpace): string {
  return space.list.all.map((region) => `${line(space, region)}\n`).join('');
}

function line(space: ProcessSpace, region: RegionRecord): string {
  const { bits, object, isShared } = region;
  const rights = [
    (bits & VM_READ) !== 0 ? 'r' : '-',
    (bits & VM_WRITE) !== 0 ? 'w' : '-',
    (bits & VM_EXEC) !== 0 ? 'x' : '-',
    isShared ? 's' : 'p',
  ].join('');
  const [major, minor] = object?.face.device ?? [0, 0];
  // Without a file, the offset says nothing.
  const offset = object === null ? 0n : BigInt(region.pgoff) << BigInt(space.pageShift);
  const range = `${digits(space.addressOf(region.first), 8)}-${digits(space.addressOf(region.end), 8)}`;
  const device = `${digits(major, 2)}:${digits(minor, 2)}`;
  const text = `${range} ${rights} ${digits(offset, 8)} ${device} ${object?.face.inode ?? 0} `;
  const name = region.name === undefined ? (object?.face.name ?? '') : named(region);
  return name === '' ? text : `${text.padEnd(WIDTH)} ${name.replaceAll('\n', '\\012')}`;
}

/** A name that a region got by itself, as prctl(PR_SET_VMA) gives it to anonymous memory. */
function named({ name, object, operations, isShared }: RegionRecord): string {
  if (object === null && operations === null) return `[anon:${name}]`;
  return isShared && operations === null ? `[anon_shmem:${name}]` : (name ?? '');
}

function digits(value: number | bigint, least: number): string {
  return value.toString(16).padStart(least, '0');
}
