import type { ArenaCore } from './core.js';

/**
 * Serves a fault of kernel code, which used an arena pointer that nothing maps (bpf_arena_handle_page_fault): maps the
 * scratch page there, so that the access can be repeated.
 *
 * @param offset - of the page from address 0, in bytes, on a page: up to the end of the upper guard.
 * @returns false when the fault is somebody else's: outside, or in the lower guard.
 */
export function mapScratch(core: ArenaCore, offset: number): boolean {
  const { windowBytes, guardBytes } = core.geometry;
  if (core.scratch < 0 || offset < 0 || offset >= windowBytes - guardBytes / 2) return false;
  // Somebody else may have mapped the page meanwhile: then the access finds that.
  if (core.window.frameAt(offset) >= 0) return true;
  if (core.window.map(offset, core.scratch) !== 'mapped') return false;
  core.scratched++;
  return true;
}
