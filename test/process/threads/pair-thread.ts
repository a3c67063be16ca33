import { parentPort, workerData } from 'node:worker_threads';
import { type AddressSpace, attach, type Description, type Process } from '@vmarea/core';
import { x8664, x8664Linux } from '@vmarea/x86-64';

const { description, heap } = workerData as {
  description: Description<{ kernel: AddressSpace; process: Process }>;
  heap: bigint;
};
const flushes: string[] = [];
const { process, kernel, threads } = attach(description, {
  formats: [x8664()],
  policies: [x8664Linux()],
  sinks: { process: { flush: (va, bytes) => flushes.push(`${va.toString(16)} ${bytes}`) } },
});
const found = process.findRegion(heap);
const before = process.handleFault(heap, 'read');
const after = process.handleFault(heap + 4096n, 'write');
const other = process.mmap({ length: 8192, read: true, write: true, name: 'other' });
process.handleFault(other, 'write');
const child = process.fork();
child.handleFault(other, 'write');
const maps = child.maps();
child.destroy();
const own = process.table.translate(heap + 4096n);
threads.leave();
parentPort?.postMessage({
  found: found?.toString(),
  before,
  after,
  other,
  maps,
  own,
  flushes,
  number: process.number,
  kernel: kernel.toString(),
});
