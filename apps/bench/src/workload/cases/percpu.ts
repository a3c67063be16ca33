import type { TestCase } from '../case.js';
import { PercpuAllocator, type PercpuObject, UNIT_PAGES_AT_MOST } from '../percpu/allocator.js';

/** Allocates many per-cpu objects of all sizes, then frees them. */
export const percpu: TestCase = {
  name: 'pcpu_alloc_test',
  isExpectedToFail: false,
  isBlind: true,
  // An object with its alignment takes less than a page.
  frames: ({ nrPcpuObjects, cpus }) => (nrPcpuObjects + UNIT_PAGES_AT_MOST) * cpus,
  test({ run, parameters: { nrPcpuObjects, cpus }, random }) {
    const allocator = new PercpuAllocator(run, cpus);
    run.afterwards(() => allocator.destroy());
    const objects: (PercpuObject | null)[] = [];
    const pageShift = Math.log2(run.pageBytes);
    for (let i = 0; i < nrPcpuObjects; i++) {
      const size = 1 + random.next(run.pageBytes / 4);
      objects.push(allocator.allocate(size, 2 ** (1 + random.next(pageShift - 1))));
    }
    for (const object of objects) if (object !== null) allocator.free(object);
    return !objects.includes(null);
  },
};
