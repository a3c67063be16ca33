// What a program imports that uses the vmap API.
export { AddressSpace, FrameAllocator, PhysicalMemory } from '../../packages/core/dist/index.js';
export { x8664, x8664Linux } from '../../packages/x86-64/dist/index.js';
