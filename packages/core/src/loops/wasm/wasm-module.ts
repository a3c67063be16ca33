import type { WebAssemblyMemoryLike } from '../loop-provider.js';
import { decodeBase64 } from './base64.js';
import { NOT_SHARED, SHARED } from './binaries.js';
import type { LoopExports } from './wasm-exports.js';
import { webAssemblyHost } from './wasm-host.js';

/** A module of each kind, once it was needed; `null` when this host would not compile it. */
let notShared: object | null | undefined;
let shared: object | null | undefined;

/**
 * Loops that work on a memory; `null` when the host cannot make them. Then it never will.
 *
 * The first call compiles (0.3 to 1.5 ms). Each call makes an instance (0.02 to 0.05 ms). Both are
 * synchronous: a module below 4 KiB may be compiled so, even on the main thread of a browser. A failure (no
 * SIMD, a content security policy, an object that only looks like a memory) is not reported, since there are
 * other loops.
 */
export function instantiate(memory: WebAssemblyMemoryLike, isShared: boolean): LoopExports | null {
  const host = webAssemblyHost();
  const module = isShared ? sharedModule() : notSharedModule();
  if (host === null || module === null) return null;
  try {
    const { exports } = new host.Instance(module, { env: { memory } });
    // A copy, since fields of a plain object are found faster than those of an exports object.
    return { ...(exports as LoopExports) };
  } catch {
    return null;
  }
}

function notSharedModule(): object | null {
  if (notShared === undefined) notShared = compile(NOT_SHARED);
  return notShared;
}

function sharedModule(): object | null {
  if (shared === undefined) shared = compile(SHARED);
  return shared;
}

function compile(binary: string): object | null {
  const host = webAssemblyHost();
  if (host === null) return null;
  try {
    return new host.Module(decodeBase64(binary));
  } catch {
    return null;
  }
}
