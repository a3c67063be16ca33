import { AddressSpace, check, FrameAllocator, PhysicalMemory, Process, share, Threads } from '@vmarea/core';
import { x8664, x8664Linux } from '@vmarea/x86-64';
import { expect, test } from 'vitest';
import { programOf, runThread } from '../../../packages/core/test/threads/worker.js';

test('two threads share a process', async () => {
  const threads = Threads.create({ most: 4, logBytes: 64 << 10 });
  const memory = PhysicalMemory.create({ bytes: 8 << 20, shared: true });
  const frames = new FrameAllocator(memory, { threads });
  const kernel = new AddressSpace({ format: x8664(), linux: x8664Linux(), memory, frames, threads });
  const free = frames.freeFrames;
  const process = new Process({ kernel });
  const heap = process.mmap({ length: 1 << 20, read: true, write: true, name: 'heap' });
  expect(process.handleFault(heap, 'write')).toBe('mapped');
  const description = share({ kernel, process });
  const seen = await runThread<Record<string, unknown>>(
    programOf(new URL('./pair-thread.ts', import.meta.url)),
    { description, heap },
  );
  console.log(seen);
  console.log(process.maps());
  threads.quiesce();
  console.log(process.table.translate(heap + 4096n));
  process.munmap(heap, 1 << 20);
  expect(check(threads).findings).toEqual([]);
  process.destroy();
  threads.quiesce();
  expect(check(threads).findings).toEqual([]);
  console.log(free, frames.freeFrames);
});
