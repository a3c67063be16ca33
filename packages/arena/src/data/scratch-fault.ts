import type { ArenaCore } from '../kernel/core.js';
import { mapScratch } from '../kernel/scratch.js';
import { type ArenaReport, reportOf } from './report.js';

/**
 * Serves a fault of kernel code, and tells of it.
 *
 * @param from - bytes from address 0 of the window, negative in the lower guard.
 * @returns true when the access can be made again.
 */
export function serveKernelFault(
  core: ArenaCore,
  from: number,
  isWrite: boolean,
  report: ((report: ArenaReport) => void) | undefined,
): boolean {
  const { pageBytes } = core.geometry;
  const offset = Math.floor(from / pageBytes) * pageBytes;
  if (!mapScratch(core, offset)) return false;
  if (core.rules.reports) report?.(reportOf(core.userAt(0) + BigInt(offset), isWrite));
  return true;
}
