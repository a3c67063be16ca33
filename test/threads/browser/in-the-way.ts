import { attach, wasmLoops } from '@vmarea/core';
import { x8664, x8664Linux } from '@vmarea/x86-64';
import type { Told } from './on-the-page.js';
import { Step, VA } from './on-the-page.js';

/** A worker that stands in the middle of a call for as long as the page wants. */
interface Scope {
  onmessage: ((event: { readonly data: Told }) => void) | null;
}

(globalThis as unknown as Scope).onmessage = ({ data: { description, control } }) => {
  const words = new Int32Array(control);
  const awaitStep = (step: number): void => {
    for (let is = words[0] as number; is < step; is = Atomics.load(words, 0)) Atomics.wait(words, 0, is, 20);
  };
  // A flush is in the middle of a call.
  let until: number = Step.none;
  const sink = {
    flush() {
      if (until === Step.none) return;
      Atomics.store(words, 1, until - 1);
      awaitStep(until);
    },
  };
  const { kernel, table, threads } = attach(description, {
    formats: [x8664()],
    policies: [x8664Linux()],
    loops: wasmLoops,
    sinks: { kernel: sink, table: sink },
  });
  awaitStep(Step.areas);
  kernel.freeVmArea(kernel.getVmArea(4096));
  until = Step.tables;
  kernel.vmUnmapAliases();
  until = Step.none;
  table.map(VA, [0x1000], kernel.linux.protections.PAGE_KERNEL);
  until = Step.end;
  table.unmap(VA, 4096);
  until = Step.none;
  threads.leave();
  Atomics.store(words, 1, Step.end);
};
