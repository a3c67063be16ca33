import {
  type AddressSpace,
  VM_ALLOC,
  VM_FLUSH_RESET_PERMS,
  VM_IOREMAP,
  VM_MAP,
  VM_MAP_PUT_PAGES,
  VM_SPARSE,
} from '@vmarea/core';

/** What earlier calls made, by first address. */
export interface Made {
  readonly vmalloc: bigint[];
  readonly sparse: bigint[];
  readonly vmap: bigint[];
  readonly devices: bigint[];
  readonly lazy: bigint[];
  readonly short: (readonly [bigint, number])[];
  readonly percpu: bigint[][];
}

export function nothingMade(): Made {
  return { vmalloc: [], sparse: [], vmap: [], devices: [], lazy: [], short: [], percpu: [] };
}

/** A call: its result, and what to note in `made` when it returned. */
export interface Call {
  readonly run: (kernel: AddressSpace) => unknown;
  readonly done?: (result: unknown) => void;
}

/** Frames of devices and of lists: outside of all memory. */
const DEVICE = 0x7000_0000n;
const SPARSE_PAGES = 40;

type Choice = (made: Made, a: number, b: number, page: bigint) => Call;

function take<T>(list: T[], at: number): { readonly one: T; readonly gone: () => void } {
  const index = at % list.length;
  return { one: list[index] as T, gone: () => void list.splice(index, 1) };
}

const frames = (first: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => 0x90000 + first + 3 * i);

const CHOICES: readonly Choice[] = [
  (made, a, b, page) => ({
    run: (kernel) => kernel.vmalloc(BigInt(1 + (a % 30)) * page - BigInt(b % 100), { caller: 'müß+0x1' }),
    done: (address) => made.vmalloc.push(address as bigint),
  }),
  (made, a, b, page) => ({
    run: (kernel) => kernel.vmallocHuge(BigInt(1 + (a % 600)) * page + BigInt(b)),
    done: (address) => made.vmalloc.push(address as bigint),
  }),
  (made, a, b, page) => ({
    run: (kernel) =>
      kernel.vmallocNodeRange({
        size: BigInt(1 + (a % 5)) * page,
        flags: b % 2 === 0 ? VM_FLUSH_RESET_PERMS : 0,
        align: page << BigInt(b % 4),
      }),
    done: (address) => made.vmalloc.push(address as bigint),
  }),
  (made, a) => {
    const { one, gone } = take(made.vmalloc, a);
    return { run: (kernel) => kernel.vfree(one ?? 1n << 60n), done: gone };
  },
  (made, a) => {
    const { one, gone } = take(made.vmalloc, a);
    return { run: (kernel) => kernel.vfree(one ?? 1n << 60n), done: gone };
  },
  (made, a, b, page) => {
    const { one, gone } = take(made.vmalloc, a);
    return {
      run: (kernel) => kernel.vrealloc(one ?? 0n, BigInt(1 + (b % 40)) * page),
      done: (address) => {
        if (one !== undefined) gone();
        made.vmalloc.push(address as bigint);
      },
    };
  },
  (made, a) => {
    const { one, gone } = take(made.vmalloc, a);
    return {
      run: (kernel) => {
        const area = kernel.removeVmArea(one ?? 1n << 60n);
        return [...area.ownedFrames()].join();
      },
      done: gone,
    };
  },
  (made, a, b, page) => ({
    run: (kernel) =>
      kernel.getVmArea(BigInt(SPARSE_PAGES + (a % 9)) * page - BigInt(b % 7), VM_SPARSE, { caller: '#é' })
        .addr,
    done: (address) => made.sparse.push(address as bigint),
  }),
  (made, _a, b, page) => ({
    run: (kernel) =>
      kernel.getVmAreaNode({
        size: BigInt(SPARSE_PAGES) * page,
        flags: VM_SPARSE,
        align: page << BigInt(b % 8),
      }).addr,
    done: (address) => made.sparse.push(address as bigint),
  }),
  ...[0, 1, 2].map(
    (): Choice => (made, a, b, page) => {
      const { one } = take(made.sparse, a);
      const start = one === undefined ? 1n << 60n : one + BigInt(b % SPARSE_PAGES) * page;
      const count = 1 + (a % 7);
      return {
        run: (kernel) => {
          const area = kernel.findVmArea(start);
          if (area === null) return null;
          if (b % 3 === 0) return area.map(b % SPARSE_PAGES, 0x1234 + b);
          return kernel.vmAreaMapPages(area, start, start + BigInt(count) * page, frames(b, count));
        },
      };
    },
  ),
  (made, a, b, page) => {
    const { one } = take(made.sparse, a);
    const from = b % SPARSE_PAGES;
    return {
      run: (kernel) => {
        if (one === undefined) return null;
        if (b % 3 === 0) return kernel.vunmapRange(one + BigInt(from) * page, one + BigInt(from + 1) * page);
        const area = kernel.findVmArea(one);
        return b % 3 === 1 ? area?.unmap(from, 1) : area?.protect(from, 1, { write: false });
      },
    };
  },
  (made, a) => {
    const { one, gone } = take(made.sparse, a);
    return {
      run: (kernel) => {
        const area = kernel.findVmArea(one ?? 1n << 60n);
        return area === null ? null : kernel.freeVmArea(area);
      },
      done: gone,
    };
  },
  (made, a, b) => ({
    run: (kernel) => kernel.vmap(frames(a, 1 + (b % 20)), VM_MAP),
    done: (address) => made.vmap.push(address as bigint),
  }),
  (made, a) => {
    const { one, gone } = take(made.vmap, a);
    return { run: (kernel) => kernel.vunmap(one ?? 1n << 60n), done: gone };
  },
  (made, a, b) => ({
    run: (kernel) => kernel.ioremap(DEVICE + BigInt(b), 1 + 5000 * (a % 9)),
    done: (address) => made.devices.push(address as bigint),
  }),
  (made, a) => {
    const { one, gone } = take(made.devices, a);
    return { run: (kernel) => kernel.iounmap(one ?? 1n << 60n), done: gone };
  },
  ...[0, 1].map(
    (): Choice => (made, a, b) => ({
      run: (kernel) => kernel.vmMapRam(frames(b, 1 + (a % (b % 7 === 0 ? 80 : 9)))),
      done: (address) => made.short.push([address as bigint, 1 + (a % (b % 7 === 0 ? 80 : 9))]),
    }),
  ),
  ...[0, 1].map(
    (): Choice => (made, a) => {
      const { one, gone } = take(made.short, a);
      return { run: (kernel) => kernel.vmUnmapRam(...(one ?? ([1n << 60n, 1] as const))), done: gone };
    },
  ),
  () => ({ run: (kernel) => kernel.vmUnmapAliases() }),
  () => ({ run: (kernel) => kernel.shrinkPools() }),
  (made, a, _b, page) => ({
    run: (kernel) => {
      const bytes = Number(page);
      return kernel
        .pcpuGetVmAreas([0, 4 * bytes], [bytes, (1 + (a % 3)) * bytes], page)
        .map(({ addr }) => addr);
    },
    done: (list) => made.percpu.push(list as bigint[]),
  }),
  (made, a) => {
    const { one, gone } = take(made.percpu, a);
    return {
      run: (kernel) => kernel.pcpuFreeVmAreas((one ?? []).map((at) => kernel.findVmArea(at) as never)),
      done: gone,
    };
  },
  (made, a, b, page) => ({
    run: (kernel) => kernel.getLazyArea(BigInt(40 + (a % 50)) * page, { chunkShift: 16 + (b % 2) }).area.addr,
    done: (address) => made.lazy.push(address as bigint),
  }),
  ...[0, 1].map(
    (): Choice => (made, a, b, page) => {
      const { one } = take(made.lazy, a);
      return { run: (kernel) => kernel.handleFault((one ?? 1n << 60n) + BigInt(b % 45) * page) };
    },
  ),
  (made, a) => {
    const { one, gone } = take(made.lazy, a);
    return { run: (kernel) => kernel.vfree(one ?? 1n << 60n), done: gone };
  },
  (made, a, b) => {
    const { one } = take(made.vmalloc, a);
    return {
      run: (kernel) =>
        b % 2 ? kernel.setMemoryRo(one ?? 1n << 60n, 1) : kernel.setVmFlushResetPerms(one ?? 1n << 60n),
    };
  },
  // Refused calls.
  (made, a) => ({ run: (kernel) => kernel.vunmap((made.vmalloc[a % 3] ?? 4096n) + 8n) }),
  () => ({ run: (kernel) => kernel.getVmArea(1n << 62n, VM_ALLOC).addr }),
  () => ({ run: (kernel) => kernel.vmap([1, 2], VM_MAP_PUT_PAGES | VM_IOREMAP) }),
];

export const CALLS = CHOICES.length;

/** The call that numbers choose. */
export function callOf(made: Made, kind: number, a: number, b: number, page: bigint): Call {
  return (CHOICES[kind % CHOICES.length] as Choice)(made, a, b, page);
}

/** What comes out of a call, as text: its result, or its error. */
export function outcomeOf(
  call: Call,
  kernel: AddressSpace,
): { readonly text: string; readonly result: unknown } {
  try {
    const result = call.run(kernel);
    return { text: String(result), result };
  } catch (error) {
    return { text: (error as Error).message, result: undefined };
  }
}
