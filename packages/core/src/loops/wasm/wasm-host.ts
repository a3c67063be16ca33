import type { WebAssemblyMemoryLike } from '../loop-provider.js';

/**
 * The part of the global `WebAssembly` that vmarea uses. Core names no DOM or Node type, so the part is
 * declared here.
 */
export interface WebAssemblyHost {
  readonly Memory: new (o: { initial: number; maximum: number; shared: boolean }) => WebAssemblyMemoryLike;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports: { readonly env: { readonly memory: WebAssemblyMemoryLike } },
  ) => { readonly exports: object };
}

/** The host's WebAssembly at this moment; `null` for none. */
export function webAssemblyHost(): WebAssemblyHost | null {
  return (globalThis as unknown as { readonly WebAssembly?: WebAssemblyHost }).WebAssembly ?? null;
}
