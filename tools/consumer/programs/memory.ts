import { PhysicalMemory, wasmLoops } from '@vmarea/core';

/** Makes memory, writes one entry and reads it back. */
export function run(): string {
  const memory = PhysicalMemory.create({ loops: wasmLoops, bytes: 1 << 20 });
  const entry = 0x8000000000000163n;
  memory.write64(0x1000n, entry);
  const found = memory.read64(0x1000n);
  if (found !== entry) throw new Error(`wrote 0x${entry.toString(16)}, read 0x${found.toString(16)}`);
  return `0x${found.toString(16)}`;
}
