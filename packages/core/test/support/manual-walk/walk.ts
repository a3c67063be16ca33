import type { FormatShape } from '../../formats/index.js';
import { arm64Manual } from './arm64.js';
import type { Attributes, Manual } from './descriptor.js';
import { type Geometry, geometryOf } from './geometry.js';
import { riscv64Manual } from './riscv64.js';
import { x86Manual } from './x86.js';

/** Reads 64 bits at a physical address. */
export type Read64 = (pa: bigint) => bigint;

/** The translation of one address by the bytes. */
export interface ManualWalk {
  /** Physical address of the page, in bytes. */
  readonly pa: bigint;
  /** Index of the leaf's level. */
  readonly level: number;
  /** The leaf's 64 bits, and its bits without address, type and mark. */
  readonly leaf: bigint;
  readonly bits: bigint;
  /** True when the leaf carries the mark of a run. */
  readonly isMarked: boolean;
  readonly attributes: Attributes;
}

/** The manual that a format follows. */
export function manualOf(geometry: Geometry): Manual {
  switch (geometry.shape.architecture) {
    case 'arm64':
      return arm64Manual(geometry);
    case 'riscv64':
      return riscv64Manual(geometry);
    case 'x86-64':
      return x86Manual(geometry);
  }
}

const known = new WeakMap<FormatShape, { geometry: Geometry; manual: Manual }>();

function lookUp(shape: FormatShape): { geometry: Geometry; manual: Manual } {
  let found = known.get(shape);
  if (found === undefined) {
    const geometry = geometryOf(shape);
    found = { geometry, manual: manualOf(geometry) };
    known.set(shape, found);
  }
  return found;
}

/**
 * Walks one address over raw bytes by the architecture's manual, without a format object and without the engine.
 *
 * @param root - physical address of the root table.
 * @param va - one that the root translates; only its low bits count.
 * @returns `null` where nothing is mapped, or where the MMU would fault on what it finds.
 */
export function manualWalk(read64: Read64, root: bigint, va: bigint, shape: FormatShape): ManualWalk | null {
  const { geometry, manual } = lookUp(shape);
  let table = root;
  for (let index = 0; index <= geometry.last; index++) {
    const { shift, bits } = geometry.levels[index] as Geometry['levels'][number];
    const slot = (va >> BigInt(shift)) & ((1n << BigInt(bits)) - 1n);
    const found = manual.read(read64(table + 8n * slot), index, Number(slot));
    if (found.kind === 'table') {
      table = found.pa;
      continue;
    }
    if (found.kind !== 'leaf') return null;
    const page = (1n << BigInt(shift)) - (1n << BigInt(geometry.pageShift));
    return {
      pa: found.pa + (va & page),
      level: index,
      leaf: found.entry,
      bits: found.bits,
      isMarked: found.isMarked,
      attributes: manual.attributes(found.bits),
    };
  }
  return null;
}
