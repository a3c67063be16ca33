// The least that a program which keeps page tables of x86-64 imports.
export { FrameAllocator, PageTable, PhysicalMemory } from '../../packages/core/dist/index.js';
export { x8664 } from '../../packages/x86-64/dist/index.js';
