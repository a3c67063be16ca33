import type { ArenaCore } from './core.js';

/**
 * Serves a fault of kernel code, which used an arena pointer that nothing maps (bpf_arena_handle_page_fault): maps the
 * scratch page there, so that the access can be repeated. It takes no lock, as in Linux: an entry is set where there is none.
 *
 * @param offset - of the page from address 0, in bytes, on a page: up to the end of the upper guard.
 * @returns false when the fault is somebody else's: outside, or in the lower guard.
 */
export function mapScratch(core: ArenaCore, offset: number): boolean {
  const { windowBytes, guardBytes } = core.geometry;
  const { window, scratch } = core;
  if (scratch < 0 || offset < 0 || offset >= windowBytes - guardBytes / 2) return false;
  // Somebody else may have mapped the page meanwhile: then the access finds that.
  if (window.frameAt(offset) >= 0) return true;
  // First the count: it is a hint, since a recovery may count in between.
  core.countScratched(1);
  const result = window.map(offset, scratch);
  if (result !== 'mapped') core.countScratched(-1);
  return result === 'mapped' || (result === 'busy' && core.sharing !== null);
}

/**
 * Clears entries that hold the scratch page, each with its flush: a valid entry must not change (break-before-make).
 *
 * @returns true when there was one.
 */
export function removeScratch(core: ArenaCore, low: number, count: number): boolean {
  const { window, geometry, scratch } = core;
  if (scratch < 0) return false;
  let found = false;
  for (let i = 0; i < count; i++) {
    const at = low + i * geometry.pageBytes;
    if (window.frameAt(at) !== scratch) continue;
    window.take(at, 1);
    core.countScratched(-1);
    core.flush(at, 1);
    found = true;
  }
  return found;
}
