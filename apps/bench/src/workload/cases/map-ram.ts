import type { TestCase } from '../case.js';

/** Maps and unmaps the same pages again and again. */
export const vmMapRam: TestCase = {
  name: 'vm_map_ram_test',
  isExpectedToFail: false,
  frames: ({ nrPages }) => nrPages,
  test({ run, parameters: { testLoopCount, nrPages } }) {
    const { kernel, ram } = run;
    const frames = ram.tryAllocateMany(nrPages);
    if (frames === null) return false;
    try {
      for (let i = 0; i < testLoopCount; i++) {
        const address = kernel.vmMapRam(frames);
        run.store(address, 0x61);
        kernel.vmUnmapRam(address, nrPages);
        run.operations += 2;
      }
    } finally {
      ram.freeMany(frames);
    }
    return true;
  },
};
