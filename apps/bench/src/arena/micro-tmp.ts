import { x8664, x8664Linux } from '@vmarea/x86-64';
import { Bed } from './bed.js';
import { PageCalls } from './pages.js';
const rounds = Number(process.argv[2] ?? 9);
const configuration = { name: 'x86-64', format: x8664(), linux: x8664Linux() } as never;
const bed = new Bed(configuration, 2080);
const calls = new PageCalls(bed, 2048, 1);
const all: Record<string, number[]> = {};
for (let i = 0; i < 10; i++) calls.round(() => {});
for (let i = 0; i < rounds; i++) {
  const got: Record<string, number> = {};
  calls.round((m, ns) => { got[m] = ns / 2048; });
  for (const [m, ns] of Object.entries(got)) (all[m] ??= []).push(m.startsWith('alloc') || m === 'fault' ? ns - (got.zero as number) : ns);
}
const med = (l: number[]) => l.sort((a, b) => a - b)[l.length >> 1] as number;
const min = (l: number[]) => Math.min(...l);
console.log(Object.entries(all).map(([m, l]) => `${m} ${med(l).toFixed(0)}/${min(l).toFixed(0)}`).join('  '));
