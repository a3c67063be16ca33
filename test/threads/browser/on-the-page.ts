import {
  AddressSpace,
  check,
  type Description,
  FrameAllocator,
  PageTable,
  PhysicalMemory,
  share,
  Threads,
  type VmError,
  wasmLoops,
} from '@vmarea/core';
import { x8664, x8664Linux } from '@vmarea/x86-64';

/** What a page may do: its thread must not wait. */

/** What the worker in the way does. Word 0 says how far it may go, word 1 where it stands. */
export const Step = { none: 0, areas: 1, tables: 2, end: 3 } as const;

/** Where the worker maps in the page table; the page maps a GiB above. */
export const VA = 0x40000000n;
const OWN_VA = VA + 0x40000000n;

/** What the worker in the way is told. */
export interface Told {
  readonly description: Description<{ kernel: AddressSpace; table: PageTable }>;
  readonly control: SharedArrayBuffer;
}

/** What the page has seen. */
export interface OnThePage {
  /** What calls throw that would wait. */
  readonly areas: string;
  readonly tables: string;
  /** Calls that changed something though they threw; calls that wait for nobody and fail. None. */
  readonly wrong: readonly string[];
}

/** Calls of the page while a worker is in their way. */
export async function onThePage(startWorker: (told: Told) => void): Promise<OnThePage> {
  const threads = Threads.create();
  const memory = PhysicalMemory.create({ bytes: 16 << 20, shared: true, loops: wasmLoops });
  const frames = new FrameAllocator(memory, { threads });
  const format = x8664();
  const linux = x8664Linux();
  const kernel = new AddressSpace({ format, linux, memory, frames, threads });
  const table = new PageTable({ format, memory, frames, threads });
  const control = new SharedArrayBuffer(8);
  const words = new Int32Array(control);
  const wrong: string[] = [];
  const expect = (isTrue: boolean, what: string): void => void (isTrue || wrong.push(what));
  const until = async (step: number): Promise<void> => {
    Atomics.store(words, 0, step);
    Atomics.notify(words, 0);
    while (Atomics.load(words, 1) !== step) await new Promise((done) => setTimeout(done, 1));
  };
  const stateOf = (): string =>
    [kernel.vmallocinfo(), frames.stats().allocated, [...table.leaves()].length].join('\n');

  startWorker({ description: share({ kernel, table }), control });
  // An empty table, for reclaim.
  const { PAGE_KERNEL } = linux.protections;
  table.map(OWN_VA, [0x2000], PAGE_KERNEL);
  table.unmap(OWN_VA, 4096);
  await until(Step.areas);
  let before = stateOf();
  const areas = messageOf(() => kernel.vmalloc(8192));
  expect(stateOf() === before, 'vmalloc changed something');
  await until(Step.tables);
  before = stateOf();
  const tables = messageOf(() => table.reclaim());
  expect(stateOf() === before, 'reclaim changed something');
  table.map(OWN_VA, [0x3000], PAGE_KERNEL);
  expect(table.translate(OWN_VA) === 0x3000_000n, 'map beside a worker in a call');
  table.unmap(OWN_VA, 4096);
  await until(Step.end);
  // Nobody is in the way now.
  kernel.vfree(kernel.vmalloc(8192));
  expect(table.reclaim() > 0, 'reclaim frees nothing afterwards');
  threads.quiesce();
  for (const { text } of check(threads).findings) wrong.push(text);
  return { areas, tables, wrong };
}

/** What a call throws, in its own words. */
export function messageOf(call: () => void): string {
  try {
    call();
    return 'nothing';
  } catch (error) {
    return (error as VmError).message;
  }
}
