import { afterEach, expect, test, vi } from 'vitest';
import type { AddressCodec } from '../../src/address-codec.js';
import type { EntryTemplate } from '../../src/entry-template.js';
import type { RunLoops } from '../../src/loops/run-loops.js';
import { arrayLoops } from '../../src/loops/shared-array-loops.js';
import type { WebAssemblyHost } from '../../src/loops/wasm/wasm-host.js';
import type { PhysicalMemory } from '../../src/memory/physical-memory.js';
import { webAssemblyMemory } from '../memory/support.js';

/*
 * Hosts that have no WebAssembly, or refuse part of it. The package is loaded anew for each, since it keeps what it compiled.
 */

const REAL = (globalThis as unknown as { WebAssembly: WebAssemblyHost }).WebAssembly;
const x86: AddressCodec = {
  lowRotate: 12,
  lowLo: -4096,
  lowHi: 0xfff,
  highLoRotate: 0,
  highLo: 0,
  highHiRotate: 12,
  highHi: 0xff000,
};
const leaves: EntryTemplate = { lo: 3, hi: 0, address: x86, pfnLimit: 2 ** 40 };

afterEach(() => {
  vi.unstubAllGlobals();
  vi.resetModules();
});

/** The package, loaded in a host with this WebAssembly. */
async function load(host: Partial<WebAssemblyHost> | undefined) {
  vi.resetModules();
  vi.stubGlobal('WebAssembly', host);
  return await import('../../src/index.js');
}

/** The first bank, with the loops that a page table would give it. */
function withLoops(memory: PhysicalMemory) {
  memory.useLoops(arrayLoops);
  return memory.banks[0];
}

/** A host that refuses one constructor. */
function without(name: keyof WebAssemblyHost, error: Error): WebAssemblyHost {
  const refuse = class {
    constructor() {
      throw error;
    }
  };
  return { Memory: REAL.Memory, Module: REAL.Module, Instance: REAL.Instance, [name]: refuse };
}

/** Makes long runs of every kind. */
function use(loops: RunLoops): void {
  const source = { narrow: Uint32Array.from({ length: 100 }, (_, i) => 7 * i), wide: null, start: 0 };
  expect(loops.writeFrames(0, 100, source, 0, leaves)).toBe(-1);
  expect(loops.firstLive(200, 100)).toBe(-1);
  loops.writeLinear(200, 100, 5, 1, leaves);
  expect(loops.firstLive(100, 100)).toBe(0);
  expect(loops.matching(0, 200, 0xfff, 0, 3, 0)).toBe(200);
  loops.change(0, 200, 2, 0, 0, 0);
  loops.copy(400, 0, 200);
  expect(loops.firstDifference(0, 400, 200)).toBe(-1);
  expect([loops.firstLive(0, 500), loops.lastLive(0, 500), loops.countLive(0, 500)]).toEqual([0, 399, 400]);
  expect(loops.clear(0, 500)).toBe(400);
  loops.store64(6, 1, -1);
  expect(loops.cas64(6, 1, -1, 2, -2)).toBe(true);
  expect([loops.load64(6), loops.high]).toEqual([2, -2]);
}

test.each([
  ['WebAssembly', undefined],
  ['WebAssembly.Memory', without('Memory', new RangeError('could not allocate memory'))],
  ['WebAssembly.Module', without('Module', new EvalError('a content security policy'))],
  ['WebAssembly.Instance', without('Instance', new TypeError('no such feature'))],
])('a host without %s uses a buffer and the TypeScript loops', async (_, host) => {
  const { PhysicalMemory, wasmLoops } = await load(host);
  for (const shared of [false, true]) {
    const bank = withLoops(PhysicalMemory.create({ loops: wasmLoops, bytes: 8192, shared }));
    expect(bank?.words).toHaveLength(2048);
    expect(bank?.words.buffer).toBeInstanceOf(shared ? SharedArrayBuffer : ArrayBuffer);
    use(bank?.loops as RunLoops);
    expect(bank?.loops?.kind).toBe('array');
  }
});

test('a host that gives neither a memory nor a buffer is an error', async () => {
  const { PhysicalMemory, wasmLoops } = await load(
    without('Memory', new RangeError('could not allocate memory')),
  );
  expect(() => PhysicalMemory.create({ loops: wasmLoops, bytes: 2 ** 50 })).toThrow('cannot give');
});

test('a bank larger than WebAssembly can hold is a buffer; where the host gives none it is ENOMEM', async () => {
  const { PhysicalMemory, wasmLoops } = await load(REAL);
  const memories: unknown[] = [];
  vi.stubGlobal('WebAssembly', {
    ...{ Module: REAL.Module, Instance: REAL.Instance },
    Memory: class {
      constructor(o: object) {
        memories.push(o);
      }
    },
  });
  for (const bytes of [65536 * 65536, 2 ** 50]) {
    try {
      PhysicalMemory.create({ loops: wasmLoops, bytes });
    } catch (error) {
      expect((error as { code: string }).code).toBe('ENOMEM');
    }
  }
  expect(memories).toEqual([]);
});

test('the module is compiled at the first long run, once', async () => {
  const made = { Memory: 0, Module: 0, Instance: 0 };
  const counting = (name: keyof typeof made) =>
    new Proxy(REAL[name], {
      construct(target, values) {
        made[name]++;
        return Reflect.construct(target, values);
      },
    });
  const { PhysicalMemory, wasmLoops } = await load({
    Memory: counting('Memory') as WebAssemblyHost['Memory'],
    Module: counting('Module') as WebAssemblyHost['Module'],
    Instance: counting('Instance') as WebAssemblyHost['Instance'],
  });
  expect(made).toEqual({ Memory: 0, Module: 0, Instance: 0 });
  const first = PhysicalMemory.create({ loops: wasmLoops, bytes: 8192 }).banks[0]?.loops as RunLoops;
  const second = PhysicalMemory.create({ loops: wasmLoops, bytes: 8192 }).banks[0]?.loops as RunLoops;
  first.writeLinear(0, 2, 5, 1, leaves);
  expect(first.clear(0, 2)).toBe(2);
  expect(made).toEqual({ Memory: 2, Module: 0, Instance: 0 });
  use(first);
  use(second);
  expect(made).toEqual({ Memory: 2, Module: 1, Instance: 2 });
  expect([first.kind, second.kind]).toEqual(['wasm', 'wasm']);
});

test('a bank without a provider of loops is a buffer of just its size', async () => {
  const { PhysicalMemory } = await load(REAL);
  for (const shared of [false, true]) {
    const bank = withLoops(PhysicalMemory.create({ bytes: 8192, shared }));
    expect(bank?.words.buffer.byteLength).toBe(8192);
    expect(bank?.loops?.kind).toBe('array');
    use(bank?.loops as RunLoops);
  }
});

test('an object that only looks like a WebAssembly.Memory uses the TypeScript loops', async () => {
  const { PhysicalMemory, wasmLoops } = await load(REAL);
  const { loops } = PhysicalMemory.over(
    { buffer: new ArrayBuffer(8192), grow: () => 0 },
    { loops: wasmLoops },
  ).banks[0] as {
    loops: RunLoops;
  };
  use(loops);
  expect(loops.kind).toBe('array');
});

test('a given memory may grow between calls', async () => {
  const { PhysicalMemory, wasmLoops } = await load(REAL);
  const memory = webAssemblyMemory({ initial: 1, maximum: 3 });
  const { loops } = PhysicalMemory.over(memory, { byteOffset: 8, bytes: 8192, loops: wasmLoops })
    .banks[0] as {
    loops: RunLoops;
  };
  for (let pages = 1; pages < 4; pages++) {
    use(loops);
    loops.writeLinear(0, 100, pages, 1, leaves);
    expect(new Int32Array(memory.buffer)[2]).toBe(4096 * pages + 3);
    expect(loops.clear(0, 1000)).toBe(100);
    if (pages < 3) memory.grow(1);
  }
  expect(loops.kind).toBe('wasm');
});

test.each([false, true])(
  'a run of more frames than the scratch page holds is written whole, shared: %s',
  async (shared) => {
    const { PhysicalMemory, wasmLoops } = await load(REAL);
    const bank = PhysicalMemory.create({ loops: wasmLoops, bytes: 2 ** 18, shared }).banks[0];
    for (const [count, isWide] of [
      [16385, false],
      [8193, true],
    ] as const) {
      const list = Array.from({ length: count }, (_, i) => 3 * i + 1);
      const source = {
        narrow: isWide ? null : Uint32Array.from(list),
        wide: isWide ? Float64Array.from(list) : null,
        start: 0,
      };
      expect(bank?.loops?.writeFrames(0, count, source, 0, leaves)).toBe(-1);
      const low = bank?.words.filter((_, i) => i % 2 === 0).subarray(0, count);
      expect(low?.every((word, i) => word === (list[i] as number) * 4096 + 3)).toBe(true);
      expect(bank?.loops?.clear(0, 20_000)).toBe(count);
      expect(bank?.loops?.kind).toBe('wasm');
    }
  },
);

test('a bank that ends near 4 GiB is written to its end', async () => {
  const { PhysicalMemory, wasmLoops } = await load(REAL);
  // None of it is resident before it is touched.
  const bytes = 65534 * 65536;
  const bank = PhysicalMemory.create({ loops: wasmLoops, bytes }).banks[0];
  const loops = bank?.loops as RunLoops;
  const at = bytes / 4 - 1024;
  const source = { narrow: Uint32Array.from({ length: 512 }, (_, i) => i + 1), wide: null, start: 0 };
  expect(loops.writeFrames(at, 512, source, 0, leaves)).toBe(-1);
  expect(bank?.words.at(-2)).toBe(512 * 4096 + 3);
  expect(loops.kind).toBe('wasm');
  expect(loops.countLive(at - 200, 612)).toBe(512);
  expect(loops.firstLive(at - 200, 612)).toBe(100);
  expect(loops.lastLive(at - 200, 612)).toBe(611);
  loops.copy(at - 1024, at, 512);
  expect(loops.firstDifference(at - 1024, at, 512)).toBe(-1);
  expect(loops.matching(at, 512, 0xfff, 0, 3, 0)).toBe(512);
  expect(loops.clear(at, 512)).toBe(512);
});
