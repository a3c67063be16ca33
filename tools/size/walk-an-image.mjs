// What a program imports that opens the tables of a memory image and walks them.
export { PageTableReader, PhysicalMemory, sparseBank } from '../../packages/core/dist/index.js';
export { x8664 } from '../../packages/x86-64/dist/index.js';
