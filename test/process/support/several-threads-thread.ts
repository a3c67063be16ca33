import { parentPort, workerData } from 'node:worker_threads';
import { type AddressSpace, attach, type Description, type Process, userPagesOf } from '@vmarea/core';
import { x8664, x8664Linux } from '@vmarea/x86-64';

/** What the thread has seen and done. */
export interface SeenByThread {
  readonly name: string | undefined;
  readonly faults: readonly string[];
  readonly unknown: string;
  readonly child: string;
  readonly zapped: number | undefined;
  readonly number: number;
  readonly page: bigint | null;
  readonly ended: string;
}

const { description, heap, device } = workerData as {
  readonly description: Description<{ kernel: AddressSpace; process: Process }>;
  readonly heap: bigint;
  readonly device: bigint;
};
const { process, kernel, threads } = attach(description, { formats: [x8664()], policies: [x8664Linux()] });

function messageOf(call: () => unknown): string {
  try {
    return String(call());
  } catch (error) {
    return String(error);
  }
}

const name = process.findRegion(heap)?.name;
const faults = [process.handleFault(heap, 'read'), process.handleFault(heap + 4096n, 'write')];
const unknown = messageOf(() => process.handleFault(device, 'read'));
const zapped = userPagesOf(kernel, process.number)?.zap(Number(device / 4096n), 4);
const other = process.mmap({ length: 8192, read: true, write: true, name: 'other' });
process.handleFault(other, 'write');
const made = new (process.constructor as typeof Process)({ kernel });
const own = made.mmap({ length: 4096, read: true, write: true });
made.handleFault(own, 'write');
made.destroy();
const ended = messageOf(() => made.maps());
const child = process.maps();
const page = process.table.translate(heap + 4096n);
// What it has freed waits for the other thread.
while (threads.pending > 0) threads.quiesce();
threads.leave();
parentPort?.postMessage({
  ...{ name, faults, unknown, child, zapped, number: process.number, page, ended },
} satisfies SeenByThread);
