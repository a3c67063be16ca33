import { FrameAllocator, PageTable, PhysicalMemory, protection } from '@vmarea/core';
import { x8664, x8664Linux } from '@vmarea/x86-64';

const memory = PhysicalMemory.create({ bytes: 16 << 20 });
const frames = new FrameAllocator(memory);
const format = x8664();
const P = x8664Linux().protections.PAGE_KERNEL;
const N = 262144;
const pf = new FrameAllocator(null, { first: 0x100000, frames: 1 << 22, scatter: 7 });
const list = Uint32Array.from(pf.allocateMany(N));
const base = 0xffffc90000000000n;
const idx = new Uint32Array(N);
let x = 12345;
for (let i = 0; i < N; i++) {
  x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
  idx[i] = x >>> 14;
}
const hi = new Int32Array(N),
  lo = new Int32Array(N);
for (let i = 0; i < N; i++) {
  const va = base + BigInt(idx[i]) * 4096n;
  hi[i] = Number(va >> 32n) | 0;
  lo[i] = Number(va & 0xffffffffn) | 0;
}
for (let r = 0; r < 9; r++) {
  const t = new PageTable({ format, memory, frames });
  const a = process.hrtime.bigint();
  t.map(base, list, P);
  const b = process.hrtime.bigint();
  let s = 0;
  const c0 = process.hrtime.bigint();
  for (let i = 0; i < N; i++) s += t.translateWords(hi[i], lo[i]);
  const c1 = process.hrtime.bigint();
  let exp = 0;
  for (let i = 0; i < N; i++) exp += list[idx[i]];
  const c = process.hrtime.bigint();
  t.unmap(base, N * 4096);
  const d = process.hrtime.bigint();
  t.destroy();
  console.log(
    'map',
    Number(b - a) / N,
    'translate',
    Number(c1 - c0) / N,
    'unmap',
    Number(d - c) / N,
    s === exp,
    JSON.stringify(t.counters),
  );
}
console.log(frames.stats().allocated);
