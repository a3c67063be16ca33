import { createArena } from '@vmarea/arena';
import { AddressSpace, FrameAllocator, PhysicalMemory } from '@vmarea/core';
import { x8664, x8664Linux } from '@vmarea/x86-64';

/** Stores a value in a page of an arena, frees the page, and finds 0. */
export function run(): string {
  const memory = PhysicalMemory.create({ bytes: 16 << 20 });
  const frames = new FrameAllocator(memory);
  const kernel = new AddressSpace({ format: x8664(), linux: x8664Linux(), memory, frames });
  const arena = createArena(kernel, { maxEntries: 10, mapExtra: 1n << 44n });
  const page = arena.allocPages(null, 1);
  if (page === null) throw new Error(arena.lastFailure?.reason);
  arena.store(page, 8, 42n);
  const value = arena.load(page, 8);
  return `${value}, ${arena.freePages(page, 1)}, ${arena.load(page, 8)}`;
}
