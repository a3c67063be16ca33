import { VmError } from '../errors.js';

/**
 * Refuses a host that has no SharedArrayBuffer.
 *
 * Browsers give it to pages that are cross-origin isolated:
 * https://html.spec.whatwg.org/multipage/browsers.html#cross-origin-isolation
 *
 * @throws VmError `EINVAL`.
 */
export function requireSharedBuffers(): void {
  if (typeof SharedArrayBuffer !== 'undefined') return;
  throw new VmError('EINVAL', 'this host has no SharedArrayBuffer, so only one thread can use memory', {
    advice:
      'serve the page with Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp, or leave out `threads` and `shared`',
  });
}
