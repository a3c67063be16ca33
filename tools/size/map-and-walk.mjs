// What a program imports that keeps page tables: map, unmap, protect, walk, translate.
export { FrameAllocator, PageTable, PhysicalMemory } from '../../packages/core/dist/index.js';
export { x8664 } from '../../packages/x86-64/dist/index.js';
