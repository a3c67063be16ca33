import { x8664, x8664Linux } from '@vmarea/x86-64';
import { createArena } from '@vmarea/arena';
import { Bed, USER_START } from './bed.js';
const what = process.argv[2]; const n = Number(process.argv[3] ?? 300);
const configuration = { name: 'x86-64', format: x8664(), linux: x8664Linux() } as never;
const bed = new Bed(configuration, 2080);
const kernel = bed.kernel();
const arena = createArena(kernel, { maxEntries: 2048, mapExtra: USER_START });
const addrs = Array.from({ length: 2048 }, (_, i) => USER_START + BigInt(i * 4096));
let t = 0n; const times: number[] = [];
for (let r = 0; r < n; r++) {
  if (what === 'alloc') { const s = process.hrtime.bigint(); for (let i = 0; i < 2048; i++) arena.allocPages(null, 1); times.push(Number(process.hrtime.bigint() - s) / 2048); arena.freePages(USER_START, 2048); }
  else if (what === 'free') { arena.allocPages(null, 1024); arena.allocPages(null, 1024); const s = process.hrtime.bigint(); for (let i = 0; i < 2048; i++) arena.freePages(addrs[i] as bigint, 1); times.push(Number(process.hrtime.bigint() - s) / 2048); }
  else if (what?.startsWith('batch')) { const c = Number(what.slice(5)); const s = process.hrtime.bigint(); for (let i = 0; i < 2048 / c; i++) arena.allocPages(null, c); times.push(Number(process.hrtime.bigint() - s) / 2048); arena.freePages(USER_START, 2048); }
  else if (what?.startsWith('fbatch')) { const c = Number(what.slice(6)); for (let i = 0; i < 2048 / c; i++) arena.allocPages(null, c); const s = process.hrtime.bigint(); for (let i = 0; i < 2048 / c; i++) arena.freePages(addrs[i * c] as bigint, c); times.push(Number(process.hrtime.bigint() - s) / 2048); }
}
times.splice(0, n / 4); times.sort((a, b) => a - b);
console.log(what, 'median', times[times.length >> 1]?.toFixed(0), 'p10', times[Math.floor(times.length / 10)]?.toFixed(0));
