import { FrameAllocator, PageTable, PhysicalMemory, protection } from '@vmarea/core';
import { Registry } from '../../../src/threads/registry.js';
import { groupBuffers, ThreadGroup } from '../../../src/threads/thread-group.js';
import { x86 } from '../../formats/x86.js';

/** What a page finds, and tells the server. With isolation it runs the stress test; without, one thread. */
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

const VA = 0x40000000n;

const page = globalThis as unknown as Page;

/** What a call throws, in its own words. */
function messageOf(call: () => void): string {
  try {
    call();
    return 'nothing';
  } catch (error) {
    return (error as Error).message;
  }
}

/** A lock that another thread holds: the page may not wait for it. */
function waitOnPage(): void {
  const buffers = groupBuffers(2);
  const registry = new Registry(new Int32Array(buffers.control));
  const [first, second] = [registry.invite(), registry.invite()].map(
    (token) => new ThreadGroup(buffers, token),
  );
  const words = new Int32Array(new SharedArrayBuffer(8));
  first?.lock(words, 0, 'two words').acquire();
  second?.lock(words, 0, 'two words').acquire();
}

/** Threads in workers of a worker, which may wait. */
function stressed(): Promise<unknown> {
  const [threads, operations, kills, seed] =
    new URLSearchParams(page.location.search).get('run')?.split(',') ?? [];
  return new Promise((resolve) => {
    const driver = new page.Worker('driver.js');
    driver.onmessage = ({ data }) => resolve(data);
    driver.onerror = ({ message }) => resolve({ error: message });
    driver.postMessage({
      threads: Number(threads),
      operations: Number(operations),
      kills: Number(kills),
      seed: Number(seed),
    });
  });
}

/** Tables of one thread. Returns how many of eight pages it translates. */
function alone(): number {
  const memory = PhysicalMemory.create({ bytes: 1 << 20 });
  const frames = new FrameAllocator(memory);
  const table = new PageTable({ format: x86(4), memory, frames });
  table.map(VA, frames.allocateMany(8), protection({ write: true }));
  const addresses = Array.from({ length: 8 }, (_, page) => VA + BigInt(page << 12));
  return addresses.filter((va) => typeof table.translate(va) === 'bigint').length;
}

async function look(): Promise<unknown> {
  if (page.crossOriginIsolated) return { wait: messageOf(waitOnPage), stress: await stressed() };
  return { share: messageOf(() => groupBuffers(2)), pages: alone() };
}

void look()
  .catch((error) => ({ error: String(error) }))
  .then((seen) => page.fetch('result', { method: 'POST', body: JSON.stringify(seen) }));
