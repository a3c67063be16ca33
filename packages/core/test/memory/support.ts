import type { WebAssemblyMemoryLike } from '../../src/loops/loop-provider.js';

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
