import { SeededRandom } from '@vmarea/conformance';
import { ArrayLoops } from '../../src/loops/array-loops.js';
import type { RunLoops } from '../../src/loops/run-loops.js';
import { SCRATCH_BYTES } from '../../src/loops/wasm/scratch-layout.js';
import { WasmLoops } from '../../src/loops/wasm/wasm-loops.js';
import { planOf } from '../../src/table/walk/walk-plan.js';
import { webAssemblyMemory } from '../memory/support.js';

/** Bytes of a bank: 18 frames of 4 KiB, so that a run of 8192 entries has a place to move. */
export const BANK_BYTES: number = 18 * 4096;
export const ENTRIES: number = BANK_BYTES / 8;

/** Two banks with equal bytes: one for the loops under test, one for the loops that they are compared with. */
export interface World {
  readonly name: string;
  readonly loops: RunLoops;
  readonly isShared: boolean;
  readonly words: Int32Array;
  readonly twin: RunLoops;
  readonly twinWords: Int32Array;
  /** True when no byte around the bank was written. */
  isContained(): boolean;
}

/** Memory of the loops: what is around the bank is guarded, but for a scratch page. */
function world(name: string, isShared: boolean, hasScratch: boolean, bytes: number): World {
  const byteOffset = SCRATCH_BYTES + (hasScratch ? 0 : 8 * 17);
  const pages = 1 + Math.ceil((byteOffset + bytes) / 65536);
  const memory = webAssemblyMemory({ initial: pages, maximum: pages, shared: isShared });
  const words = new Int32Array(memory.buffer, byteOffset, bytes / 4);
  const before = new Uint8Array(memory.buffer, 0, byteOffset);
  const after = new Uint8Array(memory.buffer, byteOffset + bytes);
  if (!hasScratch) before.fill(0xa5);
  after.fill(0x5a);
  const loops = new WasmLoops(
    { words },
    { memory, isShared, byteOffset, scratch: hasScratch ? 0 : null },
    planOf,
  );
  if (loops.kind !== 'wasm') throw new Error('this host has no WebAssembly to test');
  const twinWords = new Int32Array(bytes / 4);
  const isContained = () =>
    (hasScratch || before.every((byte) => byte === 0xa5)) && after.every((byte) => byte === 0x5a);
  const twin = new ArrayLoops({ words: twinWords });
  return { name, loops, isShared, words, twin, twinWords, isContained };
}

/** Every way in which WebAssembly meets a bank. */
export function newWorlds(bytes: number): readonly World[] {
  return [
    world('created', false, true, bytes),
    world('created shared', true, true, bytes),
    world('given', false, false, bytes),
    world('given shared', true, false, bytes),
  ];
}

/** Entries to fill banks with: stretches of zeros, of few entries, of whole tables; and entries of which a half is 0. */
const POOL: Int32Array = newPool(new SeededRandom(20261125), 4 * ENTRIES);

function newPool(random: SeededRandom, entries: number): Int32Array {
  const pool = new Int32Array(2 * entries);
  for (let i = 0; i < entries; ) {
    const rarity = random.of([0, 1, 2, 30, 700]);
    for (const end = Math.min(entries, i + 1 + random.below(900)); i < end; i++) {
      if (rarity === 0 || !random.oneIn(rarity)) continue;
      pool[2 * i] = random.oneIn(4) ? 0 : random.word();
      pool[2 * i + 1] = random.oneIn(4) ? 0 : random.word();
    }
  }
  return pool;
}

/** Gives both banks of a world the same bytes. */
export function refill(world: World, random: SeededRandom): void {
  const from = 2 * random.below((POOL.length - world.words.length) / 2);
  const part = POOL.subarray(from, from + world.words.length);
  world.words.set(part);
  world.twinWords.set(part);
}

/** True when both banks hold the same bytes. */
export function agree({ words, twinWords }: World): boolean {
  return bytes(words).equals(bytes(twinWords));
}

function bytes(words: Int32Array): Buffer {
  return Buffer.from(words.buffer as ArrayBuffer, words.byteOffset, words.byteLength);
}
