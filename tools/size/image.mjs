// What a program imports that opens a dump, and finds and lists its page tables. The formats come beside.
export { listLeaves } from '../../packages/core/dist/index.js';
export { fileSource, findProcesses, findRoots, openImage } from '../../packages/image/dist/index.js';
