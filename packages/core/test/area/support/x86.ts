import type { VmapAreasOptions } from '../../../src/area/areas-options.js';
import type { FlushSink } from '../../../src/table/state/flush-sink.js';

/** x86-64's window and guard. */
export const X86: VmapAreasOptions = {
  window: { start: 0xffffc90000000000n, end: 0xffffe8ffffffffffn },
  pageShift: 12,
  guardBytes: 0x1000,
  ioremapMaxOrder: 30,
};

/** A sink that records its flushes, and throws `error` when it is set. */
export function recorder(): FlushSink & { readonly flushes: [bigint, bigint][]; error: Error | null } {
  const flushes: [bigint, bigint][] = [];
  return {
    flushes,
    error: null,
    flush(va, bytes) {
      if (this.error !== null) throw this.error;
      flushes.push([va, bytes]);
    },
  };
}
