import { thrown } from '@vmarea/testkit';
import { afterEach, expect, test, vi } from 'vitest';
import { FrameAllocator, PhysicalMemory, Threads, wasmLoops } from '../../src/index.js';
import { groupBuffers } from '../../src/threads/thread-group.js';

afterEach(() => vi.unstubAllGlobals());

const REFUSAL =
  /^EINVAL: this host has no SharedArrayBuffer.*Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp/;

test.each([
  ['Threads.create', () => Threads.create()],
  ['the room of threads', () => groupBuffers(2)],
  ['a shared memory', () => PhysicalMemory.create({ bytes: 4096, shared: true })],
  [
    'a shared memory with WebAssembly',
    () => PhysicalMemory.create({ bytes: 4096, shared: true, loops: wasmLoops }),
  ],
])('%s says that the page is not cross-origin isolated', (_, call) => {
  vi.stubGlobal('SharedArrayBuffer', undefined);
  expect(thrown(call)).toMatch(REFUSAL);
});

test('one thread works without SharedArrayBuffer', () => {
  vi.stubGlobal('SharedArrayBuffer', undefined);
  expect(new FrameAllocator(PhysicalMemory.create({ bytes: 8192 })).allocate()).toBe(0);
});
