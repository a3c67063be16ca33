import { VmError } from '../../src/errors.js';
import type { WebAssemblyMemoryLike } from '../../src/loops/loop-provider.js';

/** What a call throws; fails when that is nothing or anything but a VmError. */
export function refusal(call: () => unknown): VmError {
  try {
    call();
  } catch (error) {
    if (error instanceof VmError) return error;
    throw error;
  }
  throw new Error('the call was not refused');
}

/** The code that a call is refused with. */
export function code(call: () => unknown): string {
  return refusal(call).code;
}

/** A copy of bytes, to compare with later. */
export function snapshot(buffer: ArrayBufferLike): Uint8Array {
  return new Uint8Array(buffer).slice();
}

/** Hands a wrong type to a call that TypeScript would refuse. */
export function wrong<T>(value: unknown): T {
  return value as T;
}

/**
 * A real WebAssembly.Memory; sizes are in pages of 64 KiB. The library that is compiled against has no type
 * for it.
 */
export function webAssemblyMemory(o: {
  initial: number;
  maximum?: number;
  shared?: boolean;
}): WebAssemblyMemoryLike {
  const host = globalThis as unknown as {
    WebAssembly: { Memory: new (descriptor: object) => WebAssemblyMemoryLike };
  };
  return new host.WebAssembly.Memory(o);
}
