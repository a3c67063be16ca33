import { Worker } from 'node:worker_threads';
import {
  AddressSpace,
  check,
  FrameAllocator,
  hex,
  PhysicalMemory,
  recover,
  share,
  Threads,
  VM_SPARSE,
  wasmLoops,
} from '@vmarea/core';
import { x8664, x8664Linux } from '@vmarea/x86-64';

/** Leads the workers, which run the same program. */
export async function lead() {
  const threads = Threads.create({ most: 4 });
  const memory = PhysicalMemory.create({ bytes: 64 << 20, shared: true, loops: wasmLoops });
  const frames = new FrameAllocator(memory, { threads });
  const kernel = new AddressSpace({ format: x8664(), linux: x8664Linux(), memory, frames, threads });

  // 256 MiB of addresses. Worker n maps the pages n, n + 3, n + 6 and so on: neighbours, in the same page tables.
  const area = kernel.getVmArea(256 << 20, VM_SPARSE);
  const pages = 3000;

  const workers = [0, 1, 2].map((lane) => {
    const description = share({ kernel });
    const workerData = { description, address: area.addr, lane, lanes: 3, pages };
    const worker = new Worker(process.argv[1], { workerData });
    return { worker, description, ended: new Promise((resolve) => worker.once('exit', resolve)) };
  });

  // The last one goes on for ever. It is ended somewhere in a call.
  const { worker, description, ended } = workers[2];
  await new Promise((resolve) => worker.once('message', resolve));
  await worker.terminate();
  await ended;
  threads.declareDead(description.thread);
  const { threads: mended } = recover(threads);
  console.log(`mended what ${mended.length} thread left`);

  await Promise.all(workers.map((one) => one.ended));
  for (const lane of [0, 1]) {
    let mapped = 0;
    for (let page = lane; page < 3 * pages; page += 3) if (area.frameAt(page) >= 0) mapped++;
    console.log(`worker ${lane} mapped ${mapped} pages`);
  }
  console.log(`worker 2 mapped some: ${area.populated().pages > 2 * pages}`);
  console.log(`${check(threads).findings.length} findings`);
  console.log(kernel.vmallocinfo().trim());

  kernel.freeVmArea(area);
  kernel.destroy();
  threads.quiesce();
  console.log(`${frames.stats().allocated} frames left; the area was at ${hex(area.addr)}`);
}
