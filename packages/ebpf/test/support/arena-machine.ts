import { ARM64_INVALIDATIONS, arm64, arm64Linux } from '@vmarea/arm64';
import {
  AddressSpace,
  FrameAllocator,
  type Invalidation,
  type LinuxPolicy,
  type PageTableFormat,
  PhysicalMemory,
  VM_SPARSE,
  VM_USERMAP,
} from '@vmarea/core';
import { Mmu } from '@vmarea/mmu';
import { RISCV64_INVALIDATIONS, riscv64, riscv64Linux } from '@vmarea/riscv64';
import { X8664_INVALIDATIONS, x8664, x8664Linux } from '@vmarea/x86-64';
import type { ArenaPort, KernelCall } from '../../src/index.js';

interface Architecture {
  readonly format: PageTableFormat;
  readonly linux: LinuxPolicy;
  readonly invalidations: readonly Invalidation[];
}

/** By name. Their page sizes differ. */
export const ARCHITECTURES: Readonly<Record<string, () => Architecture>> = {
  'x86-64': () => ({ format: x8664(), linux: x8664Linux(), invalidations: X8664_INVALIDATIONS }),
  'arm64-16k': () => ({
    format: arm64({ granule: 16, vaBits: 48 }),
    linux: arm64Linux({ granule: 16, vaBits: 48 }),
    invalidations: ARM64_INVALIDATIONS,
  }),
  'arm64-64k': () => ({
    format: arm64({ granule: 64, vaBits: 48 }),
    linux: arm64Linux({ granule: 64, vaBits: 48 }),
    invalidations: ARM64_INVALIDATIONS,
  }),
  riscv64: () => ({
    format: riscv64({ mode: 'sv48' }),
    linux: riscv64Linux({ mode: 'sv48' }),
    invalidations: RISCV64_INVALIDATIONS,
  }),
};

/** A kernel with one arena, made of core's calls. Slots are taken from the lowest free one on. */
export interface ArenaMachine {
  readonly port: ArenaPort;
  readonly kernel: AddressSpace;
  readonly memory: PhysicalMemory;
  readonly pageSize: number;
  /** Pages that are mapped, by number. */
  readonly mapped: ReadonlyMap<number, number>;
  /** Maps pages; returns the first one, -1 when there is no room. */
  allocate(count: number, at?: number): number;
  free(page: number, count: number): void;
  /** The bytes at a user address, found by the tables. */
  read(address: bigint, bytes: number): Uint8Array;
  /** The arena's kfuncs. */
  readonly kfuncs: Record<'bpf_arena_alloc_pages' | 'bpf_arena_free_pages', (call: KernelCall) => void>;
}

export function arenaMachine(
  name: string,
  { pages = 100, userVmStart = 1n << 44n, noUserConv = false, megabytes = 16, shared = false } = {},
): ArenaMachine {
  const { format, linux, invalidations } = (ARCHITECTURES[name] as () => Architecture)();
  const pageSize = 2 ** format.pageShift;
  const bytes = megabytes << 20;
  const memory = shared
    ? PhysicalMemory.over(new SharedArrayBuffer(bytes))
    : PhysicalMemory.create({ bytes });
  const frames = new FrameAllocator(memory, { pageShift: format.pageShift });
  let mmu: Mmu | undefined;
  const kernel = new AddressSpace({
    ...{ format, linux, memory, frames },
    sink: { flush: (...flush) => mmu?.sink.flush(...flush) },
  });
  mmu = new Mmu({
    ...{ memory, invalidations },
    tables: { format, root: kernel.table.root, controls: format.controls },
  });
  // GUARD_SZ of kernel/bpf/arena.c: 64 KiB, rounded up to two pages. Half of it is on each side.
  const guard = Math.max(1 << 16, 2 * pageSize);
  const area = kernel.getVmArea((1n << 32n) + BigInt(guard), VM_SPARSE | VM_USERMAP);
  const kernVmStart = area.addr + BigInt(guard / 2);
  const mapped = new Map<number, number>();
  const kernelOf = (page: number): bigint =>
    kernVmStart + BigInt.asUintN(32, userVmStart + BigInt(page) * BigInt(pageSize));
  const allocate = (count: number, at?: number): number => {
    const isFree = (first: number): boolean =>
      first + count <= pages &&
      Array.from({ length: count }, (_, i) => mapped.has(first + i)).every((has) => !has);
    let first = at ?? 0;
    if (at === undefined) while (first < pages && !isFree(first)) first++;
    if (count < 1 || !Number.isInteger(first) || !isFree(first)) return -1;
    for (let i = 0; i < count; i++) {
      const frame = frames.allocate();
      memory.bytesAt(BigInt(frame) * BigInt(pageSize), pageSize).fill(0);
      kernel.vmAreaMapPages(area, kernelOf(first + i), kernelOf(first + i) + BigInt(pageSize), [frame]);
      mapped.set(first + i, frame);
    }
    return first;
  };
  const free = (page: number, count: number): void => {
    for (let i = page; i < page + count; i++) {
      const frame = mapped.get(i);
      if (frame === undefined) continue;
      kernel.vmAreaUnmapPages(area, kernelOf(i), kernelOf(i) + BigInt(pageSize));
      mapped.delete(i);
      frames.free(frame);
    }
  };
  const read = (address: bigint, bytes: number): Uint8Array => {
    const out = new Uint8Array(bytes);
    for (let i = 0; i < bytes; i++) {
      const offset = address + BigInt(i) - userVmStart;
      const page = Number(offset / BigInt(pageSize));
      const pa = kernel.table.translate(kernelOf(page)) as bigint;
      out[i] = memory.bytesAt(pa + (offset % BigInt(pageSize)), 1)[0] as number;
    }
    return out;
  };
  const pageOf = (lo: number): number => ((lo - Number(BigInt.asUintN(32, userVmStart))) >>> 0) / pageSize;
  const [startHi, startLo] = [Number(userVmStart >> 32n), Number(BigInt.asUintN(32, userVmStart))];
  return {
    ...{ kernel, memory, pageSize, mapped, allocate, free, read },
    port: { mmu, kernVmStart, userVmStart, pages, pageSize, noUserConv },
    kfuncs: {
      bpf_arena_alloc_pages: (call) => {
        const [lo, hi, count] = [
          call.args[2] as number,
          call.args[3] as number,
          (call.args[4] as number) >>> 0,
        ];
        const page = allocate(count, lo === 0 && hi === 0 ? undefined : pageOf(lo));
        if (page < 0) return;
        const low = (startLo + page * pageSize) >>> 0;
        call.returnWords(low, startHi);
      },
      bpf_arena_free_pages: (call) =>
        free(Math.floor(pageOf(call.args[2] as number)), (call.args[4] as number) >>> 0),
    },
  };
}
