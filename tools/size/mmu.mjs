// What an emulator imports that brings its own memory and tables.
export { PhysicalMemory } from '../../packages/core/dist/index.js';
export { Mmu } from '../../packages/mmu/dist/index.js';
