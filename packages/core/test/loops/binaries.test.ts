import { SeededRandom } from '@vmarea/conformance';
import { expect, test } from 'vitest';
import { decodeBase64 } from '../../src/loops/wasm/base64.js';
import { NOT_SHARED, SHARED } from '../../src/loops/wasm/binaries.js';
import { SCRATCH_BYTES } from '../../src/loops/wasm/scratch-layout.js';
import { WasmLoops } from '../../src/loops/wasm/wasm-loops.js';
import { snapshot, webAssemblyMemory } from '../memory/support.js';

test.each([NOT_SHARED, SHARED, '', 'AA==', 'AAE=', '+/+/', 'azAZ09+/'])(
  'decodeBase64 gives the bytes that Node gives, text %#',
  (text) => {
    expect(Buffer.from(decodeBase64(text))).toEqual(Buffer.from(text, 'base64'));
  },
);

// Chrome's main thread compiles no larger module synchronously.
test.each([NOT_SHARED, SHARED])('module %# is below 4 KiB', (text) => {
  expect(decodeBase64(text).length).toBeLessThan(4096);
});

test.each([false, true])('an instance changes no byte of its memory, shared: %s', (isShared) => {
  const memory = webAssemblyMemory({ initial: 3, maximum: 3, shared: isShared });
  const all = new Int32Array(memory.buffer);
  const random = new SeededRandom(7);
  for (let i = 0; i < all.length; i++) all[i] = random.word();
  const before = snapshot(memory.buffer);
  const words = new Int32Array(memory.buffer, SCRATCH_BYTES);
  for (const hasScratch of [false, true]) {
    const loops = new WasmLoops(
      { words },
      { memory, isShared, byteOffset: SCRATCH_BYTES, scratch: hasScratch ? 0 : null },
      () => null,
    );
    expect(loops.kind).toBe('wasm');
  }
  expect(Buffer.from(snapshot(memory.buffer)).equals(Buffer.from(before))).toBe(true);
});
