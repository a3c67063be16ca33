/**
 * The part of a `WebAssembly.Memory` that vmarea uses. Any real one fits; core names no DOM or Node type.
 *
 * Growth replaces `buffer`: the old ArrayBuffer is detached, an old SharedArrayBuffer stays usable.
 * Source: WebAssembly JavaScript Interface, "refresh the memory buffer".
 */
export interface WebAssemblyMemoryLike {
  /** All its bytes, as they are now. */
  readonly buffer: ArrayBuffer | SharedArrayBuffer;
  /** Adds pages of 64 KiB; returns the former number of pages. */
  grow(delta: number): number;
}

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
