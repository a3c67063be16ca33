import { refusal } from '@vmarea/testkit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { BankOptions } from '../../src/memory/bank.js';
import { PhysicalMemory } from '../../src/memory/physical-memory.js';
import { sparseBank } from '../../src/memory/sparse-bank.js';
import { webAssemblyMemory } from './support.js';

const FRAME = 4096n;

/** One to five banks of one to three frames, with gaps of zero to two frames, some of them images. */
const layouts = fc.record({
  start: fc.constantFrom(0n, 0x8000_0000n, (1n << 52n) - 45n * FRAME),
  banks: fc.array(
    fc.record({
      gap: fc.bigInt(0n, 2n),
      frames: fc.integer({ min: 1, max: 3 }),
      kind: fc.constantFrom('created', 'shared', 'wasm', 'read-only', 'sparse'),
      backwards: fc.boolean(),
      // Distance between the frames of an image, in frames.
      stride: fc.integer({ min: 1, max: 2 }),
    }),
    { minLength: 1, maxLength: 5 },
  ),
});

/** A place is a frame boundary and a distance from it, so that most touch an edge. */
const places = fc.record({
  frame: fc.bigInt(-1n, 30n),
  by: fc.constantFrom(-8n, -4n, -1n, 0n, 1n, 2n, 4n, 8n, 16n),
  value: fc.bigInt(0n, (1n << 64n) - 1n),
  kind: fc.constantFrom('read32', 'read64', 'write32', 'write64', 'bytesAt'),
  length: fc.constantFrom(1, 8, 4095, 4096, 4097, 9000),
});

/** The bytes that are there: physical address to value and bank. */
type Model = Map<bigint, { value: number; bank: number; writable: boolean; linear: boolean }>;

function build({
  start,
  banks,
}: typeof layouts extends fc.Arbitrary<infer T> ? T : never): [PhysicalMemory, Model] {
  const model: Model = new Map();
  const options: BankOptions[] = [];
  let base = start;
  banks.forEach(({ gap, frames, kind, backwards, stride }, bank) => {
    base += gap * FRAME;
    const bytes = frames * 4096;
    const writable = kind !== 'read-only' && kind !== 'sparse';
    const content = (i: number): number => (writable ? 0 : (i * 7 + bank + (i >> 12)) & 0xff);
    const step = kind === 'sparse' ? BigInt(stride) * FRAME : FRAME;
    for (let i = 0; i < bytes; i++) {
      model.set(base + BigInt(i >> 12) * step + BigInt(i & 4095), {
        value: content(i),
        bank,
        writable,
        linear: kind !== 'sparse',
      });
    }
    if (kind === 'wasm') {
      const source = webAssemblyMemory({ initial: 1 });
      options.push({ source, base, byteOffset: 8 * frames, bytes });
    } else if (kind === 'read-only') {
      const source = Uint8Array.from({ length: bytes }, (_, i) => content(i)).buffer;
      options.push({ source, base, writable: false });
    } else if (kind === 'sparse') {
      const order = Array.from({ length: frames }, (_, i) => (backwards ? frames - 1 - i : i));
      const image = order.flatMap((frame) =>
        Array.from({ length: 4096 }, (_, i) => content(frame * 4096 + i)),
      );
      const addresses = order.map((frame) => base + BigInt(frame) * step);
      options.push(sparseBank({ pageShift: 12, addresses, bytes: Uint8Array.from(image) }));
    } else {
      options.push({ bytes, base, shared: kind === 'shared' });
    }
    base += BigInt(frames) * step;
  });
  return [PhysicalMemory.of(options.reverse()), model];
}

function wordOf(model: Model, pa: bigint, size: number): bigint {
  let word = 0n;
  for (let i = size - 1; i >= 0; i--) word = (word << 8n) | BigInt(model.get(pa + BigInt(i))?.value ?? 0);
  return word;
}

test('PhysicalMemory does what a plain Map from addresses to bytes does', () => {
  fc.assert(
    fc.property(layouts, fc.array(places, { minLength: 1, maxLength: 30 }), (layout, steps) => {
      const [memory, model] = build(layout);
      for (const { frame, by, value, kind, length } of steps) {
        const pa = layout.start + frame * FRAME + by;
        if (kind === 'bytesAt') checkBytes(memory, model, pa, length);
        else checkWord(memory, model, pa, kind, value);
      }
    }),
    { numRuns: 60 },
  );
});

function checkWord(
  memory: PhysicalMemory,
  model: Model,
  pa: bigint,
  kind: 'read32' | 'read64' | 'write32' | 'write64',
  value: bigint,
): void {
  const size = kind.endsWith('32') ? 4 : 8;
  const there = model.get(pa);
  const writes = kind.startsWith('write');
  const word = BigInt.asUintN(size * 8, value);
  const call = {
    read32: () => BigInt(memory.read32(pa)),
    read64: () => memory.read64(pa),
    write32: () => memory.write32(pa, Number(word)),
    write64: () => memory.write64(pa, word),
  }[kind];
  if (pa < 0n) {
    expect(refusal(call).code).toBe('ERANGE');
  } else if (pa % BigInt(size) !== 0n) {
    expect(refusal(call).code).toBe('EINVAL');
  } else if (there === undefined) {
    expect(refusal(call)).toMatchObject({ code: 'EFAULT', address: pa });
  } else if (writes && !there.writable) {
    expect(refusal(call)).toMatchObject({ code: 'EPERM', address: pa });
  } else if (writes) {
    call();
    for (let i = 0; i < size; i++) {
      const byte = model.get(pa + BigInt(i)) as { value: number };
      byte.value = Number((word >> BigInt(8 * i)) & 0xffn);
    }
    expect(memory.read32(pa)).toBe(Number(wordOf(model, pa, 4)));
  } else {
    expect(call()).toBe(wordOf(model, pa, size));
  }
}

function checkBytes(memory: PhysicalMemory, model: Model, pa: bigint, length: number): void {
  const call = (): Uint8Array => memory.bytesAt(pa, length);
  if (pa < 0n) {
    expect(refusal(call).code).toBe('ERANGE');
    return;
  }
  const expected: number[] = [];
  for (let i = 0; i < length; i++) {
    const address = pa + BigInt(i);
    const byte = model.get(address);
    if (byte === undefined || byte.bank !== model.get(pa)?.bank) {
      expect(refusal(call)).toMatchObject({ code: byte === undefined ? 'EFAULT' : 'EINVAL', address });
      return;
    }
    expected.push(byte.value);
  }
  expect(call()).toEqual(Uint8Array.from(expected));
}

test('locate finds exactly the frames whose bytes are in one bank, in one piece', () => {
  fc.assert(
    fc.property(layouts, fc.constantFrom(12, 14, 16), (layout, pageShift) => {
      const [memory, model] = build(layout);
      const size = 1n << BigInt(pageShift);
      for (let pfn = layout.start / size; pfn * size < layout.start + 25n * FRAME; pfn++) {
        const pa = pfn * size;
        const found = memory.locate(Number(pfn), pageShift);
        const bank = model.get(pa)?.bank;
        const whole = Array.from({ length: Number(size) / 4096 }, (_, i) =>
          model.get(pa + BigInt(i) * FRAME),
        );
        const inOneBank = bank !== undefined && whole.every((byte) => byte?.bank === bank);
        // No image here is long enough for a frame of 16 KiB.
        expect(found !== null).toBe(inOneBank);
        expect(memory.bankOf(Number(pfn), pageShift)).toBe(found?.bank ?? null);
        if (found !== null) {
          const word = found.bank.words[found.word + 1] as number;
          expect(word >>> 0).toBe(Number(wordOf(model, pa + 4n, 4)));
        }
      }
    }),
    { numRuns: 60 },
  );
});
