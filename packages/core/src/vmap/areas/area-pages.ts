import { shown, VmError } from '../../errors.js';
import type { VmStruct } from './vm-struct.js';

/**
 * True when pages are inside an area: whole numbers, at least one. Written so that NaN, fractions and other
 * types fail.
 */
export function isInside(page: number, count: number, pages: number): boolean {
  return (
    typeof page === 'number' &&
    typeof count === 'number' &&
    page >= 0 &&
    count >= 1 &&
    page + count <= pages &&
    Math.floor(page) === page &&
    Math.floor(count) === count
  );
}

/** The error for pages that are not inside, or whose area was freed. */
export function pagesRefused(vm: VmStruct, page: number, count: number, pages: number): VmError {
  const { address } = vm.area;
  if (!vm.isLive) return new VmError('EINVAL', 'the area was freed', { address });
  if (!Number.isInteger(page))
    return new VmError('EINVAL', `page is ${shown(page)}, expected a whole number`, { address });
  if (!Number.isInteger(count) || count < 1)
    return new VmError('EINVAL', `count is ${shown(count)}, expected 1 or more pages`, { address });
  return new VmError('ERANGE', `pages ${page}–${page + count - 1} exceed the area (pages 0–${pages - 1})`, {
    address,
  });
}
