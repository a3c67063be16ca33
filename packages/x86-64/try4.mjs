import { PhysicalMemory, FrameAllocator, PageTable } from '@vmarea/core';
import { x8664, x8664Linux } from '@vmarea/x86-64';
const memory = PhysicalMemory.create({ bytes: 16 << 20 });
const frames = new FrameAllocator(memory);
const format = x8664();
const P = x8664Linux().protections.PAGE_KERNEL;
const N = 262144;
const pf = new FrameAllocator(null, { first: 0x100000, frames: 1<<22, scatter: 7 });
const list = Uint32Array.from(pf.allocateMany(N));
const base = 0xffffc90000000000n;
const idx = new Uint32Array(N); let x = 12345; for (let i=0;i<N;i++){ x = (Math.imul(x,1664525)+1013904223)>>>0; idx[i]= x>>>14; }
const hi = new Int32Array(N), lo = new Int32Array(N);
for (let i=0;i<N;i++){ const va = base + BigInt(idx[i])*4096n; hi[i]=Number(va>>32n)|0; lo[i]=Number(va&0xffffffffn)|0; }
  const t = new PageTable({ format, memory, frames });
  t.map(base, list, P);
function loop(){ let s=0; for (let i=0;i<N;i++) s+=t.translateWords(hi[i],lo[i]); return s; }
for (let r=0;r<20;r++){
  const c0=process.hrtime.bigint(); const s=loop(); const c1=process.hrtime.bigint();
  console.log('translate',Number(c1-c0)/N, s);
}
  const words = memory.banks[0].words, rw = Number(t.root)/4;
  function hand(hi_, lo_){ let at = rw + 2*((hi_>>>7)&511); let l=words[at]; if(!(l&1)) return -1; at = ((l>>>12)<<10) + 2*((lo_>>>30)|((hi_<<2)&0x1fc)); l=words[at]; if ((l&0x81)!==1) return -1; at=((l>>>12)<<10)+2*((lo_>>>21)&511); l=words[at]; if ((l&0x81)!==1) return -1; at=((l>>>12)<<10)+2*((lo_>>>12)&511); l=words[at]; if(!(l&1)) return -1; const h=words[at+1]; return (l>>>12)|((h&0xfff)<<20); }
function loopH(){ let s=0; for (let i=0;i<N;i++) s+=hand(hi[i],lo[i]); return s; }
for (let r=0;r<20;r++){ const c0=process.hrtime.bigint(); const s=loopH(); const c1=process.hrtime.bigint(); console.log('hand',Number(c1-c0)/N, s); }
