// What a program imports that runs BPF objects: the processor is the caller's.
export { Interpreter, link, loadObject } from '../../packages/ebpf/dist/index.js';
