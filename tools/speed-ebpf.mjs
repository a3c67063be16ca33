// How many instructions of BPF a second the interpreter of @vmarea/ebpf runs: `node tools/speed-ebpf.mjs [runs]`.
import { runSource } from './support/run-source.mjs';

process.exitCode = await runSource('packages/ebpf/test/speed.ts', process.argv.slice(2));
