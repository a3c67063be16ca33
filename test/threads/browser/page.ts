import { AddressSpace, FrameAllocator, PhysicalMemory, Threads, wasmLoops } from '@vmarea/core';
import { x8664, x8664Linux } from '@vmarea/x86-64';
import { groupBuffers } from '../../../packages/core/src/threads/thread-group.js';
import type { Wanted } from './driver.js';
import { messageOf, onThePage, type Told } from './on-the-page.js';

/** What a page finds, and tells the server. With isolation it runs the stress tests; without, one thread. */
interface Page {
  readonly crossOriginIsolated: boolean;
  readonly location: { readonly search: string };
  Worker: new (
    url: string,
  ) => {
    onmessage: ((event: { readonly data: unknown }) => void) | null;
    onerror: ((event: { readonly message: string }) => void) | null;
    postMessage(message: unknown): void;
  };
  fetch(url: string, how: { method: string; body: string }): Promise<unknown>;
}

const page = globalThis as unknown as Page;

/** Threads in workers of a worker, which may wait. */
function stressed(wanted: Wanted): Promise<unknown> {
  return new Promise((resolve) => {
    const driver = new page.Worker('driver.js');
    driver.onmessage = ({ data }) => resolve(data);
    driver.onerror = ({ message }) => resolve({ error: message });
    driver.postMessage(wanted);
  });
}

/** An address space of one thread. Returns how many of eight pages have what was written. */
function alone(): number {
  const memory = PhysicalMemory.create({ bytes: 4 << 20, loops: wasmLoops });
  const frames = new FrameAllocator(memory);
  const kernel = new AddressSpace({ format: x8664(), linux: x8664Linux(), memory, frames });
  const address = kernel.vmalloc(8 * 4096);
  const addresses = Array.from({ length: 8 }, (_, index) => address + BigInt(index << 12));
  const physical = addresses.map((va) => kernel.table.translate(va));
  for (const [index, pa] of physical.entries()) if (pa !== null) memory.write32(pa, index + 1);
  const written = physical.filter((pa, index) => pa !== null && memory.read32(pa) === index + 1).length;
  kernel.vfree(address);
  kernel.destroy();
  return frames.stats().allocated === 0 ? written : -1;
}

async function look(): Promise<unknown> {
  if (!page.crossOriginIsolated) {
    const refusals = [
      () => Threads.create(),
      () => groupBuffers(2),
      () => PhysicalMemory.create({ bytes: 4096, shared: true, loops: wasmLoops }),
    ].map(messageOf);
    return { refusals, pages: alone() };
  }
  const wait = await new Promise((resolve, reject) => {
    const start = (told: Told): void => {
      const worker = new page.Worker('in-the-way.js');
      worker.onerror = ({ message }) => reject(new Error(message));
      worker.postMessage(told);
    };
    onThePage(start).then(resolve, reject);
  });
  const wanted = JSON.parse(new URLSearchParams(page.location.search).get('run') ?? '{}') as {
    readonly room: Wanted;
    readonly space: Wanted;
  };
  // Side by side: a browser takes two seconds to end a thread that does not stop by itself.
  const [room, space] = await Promise.all([wanted.room, wanted.space].map(stressed));
  return { wait, room, space };
}

void look()
  .catch((error) => ({ error: String(error.stack ?? error) }))
  .then((seen) => page.fetch('result', { method: 'POST', body: JSON.stringify(seen) }));
