// What a simulator of BPF imports beside its format and its processor.
export { createArena } from '../../packages/arena/dist/index.js';
