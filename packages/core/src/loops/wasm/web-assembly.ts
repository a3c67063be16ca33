import type { WebAssemblyMemoryLike } from '../loop-provider.js';
import { webAssemblyHost } from './wasm-host.js';

/** Bytes of a page of WebAssembly. */
const PAGE = 65536;
/** Most pages of a memory: 4 GiB. */
const PAGES = 65536;

/**
 * A new memory of zeros that cannot grow; `null` when the host has no WebAssembly or will not give that
 * much.
 *
 * V8 reserves 10 GiB of addresses for each. About 13,000 can be alive in a process, and none where its
 * addresses are limited (`ulimit -v`). Memories that are made and dropped in a loop are collected in time:
 * 40,000 of 1 MiB took 45 µs each; a buffer took 26.
 */
export function makeMemory(bytes: number, shared: boolean): WebAssemblyMemoryLike | null {
  const host = webAssemblyHost();
  const pages = Math.ceil(bytes / PAGE);
  if (host === null || pages > PAGES || (shared && typeof SharedArrayBuffer === 'undefined')) return null;
  try {
    return new host.Memory({ initial: pages, maximum: pages, shared });
  } catch {
    // A buffer needs no such reservation.
    return null;
  }
}
