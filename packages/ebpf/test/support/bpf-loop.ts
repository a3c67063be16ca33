import type { KernelCall } from '../../src/index.js';

/** Helper 181, as kernel/bpf/bpf_iter.c has it: calls back until it gets a result other than 0. */
export function bpfLoop(call: KernelCall): void {
  const [count, lo, hi] = [(call.args[0] as number) >>> 0, call.args[2] as number, call.args[3] as number];
  const [contextLo, contextHi] = [call.args[4] as number, call.args[5] as number];
  for (let i = 0; i < count; i++) {
    call.args.set([i, 0, contextLo, contextHi]);
    call.callback(hi, lo);
    if (call.lo !== 0 || call.hi !== 0) {
      call.returnWords(i + 1, 0);
      return;
    }
  }
  call.returnWords(count, 0);
}
