import type { WebAssemblyMemoryLike } from '../loop-provider.js';

/** The part of the global `WebAssembly` that vmarea uses. Core names no DOM or Node type, so it is written down here. */
export interface WebAssemblyHost {
  readonly Memory: new (o: { initial: number; maximum: number; shared: boolean }) => WebAssemblyMemoryLike;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports: { readonly env: { readonly memory: WebAssemblyMemoryLike } },
  ) => { readonly exports: object };
}

/** WebAssembly, as it is now; `null` where there is none. */
export function webAssemblyHost(): WebAssemblyHost | null {
  return (globalThis as { readonly WebAssembly?: WebAssemblyHost }).WebAssembly ?? null;
}
