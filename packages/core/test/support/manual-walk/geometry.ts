import type { FormatShape } from '../../formats/index.js';

/** One level of a walk, as the manuals' tables of levels tell it. */
export interface ManualLevel {
  /** log2 of the bytes that an entry covers. */
  readonly shift: number;
  /** log2 of the number of entries. */
  readonly bits: number;
  /** Base pages that an entry covers. */
  readonly pages: number;
  /** Base pages that a whole table covers. */
  readonly tablePages: number;
  /** True where an entry may map. */
  readonly mayMap: boolean;
  /** Entries that share a mark; 0 where there is none. */
  readonly run: number;
}

/** The levels of a format, root first, and its sizes. */
export interface Geometry {
  readonly shape: FormatShape;
  readonly pageShift: number;
  readonly levels: readonly ManualLevel[];
  /** Index of the last level. */
  readonly last: number;
  /** Pages that the root covers. */
  readonly pages: number;
  /** Frames at and above it cannot be said. */
  readonly frameLimit: number;
}

/**
 * Entries of a contiguous group, by granule and by lookup level (3 is the last).
 *
 * Source: Arm ARM D8.7.1, "The Contiguous bit".
 */
const CONTIGUOUS: Record<number, readonly number[]> = {
  4: [0, 16, 16, 16],
  16: [0, 0, 32, 128],
  64: [0, 0, 32, 32],
};

/**
 * The lowest lookup level that holds blocks, by granule: without, and with, 52-bit output addresses.
 *
 * Source: Arm ARM D8.3.1, block descriptors: 4K levels 1 and 2, and 0 with LPA2; 16K level 2, and 1 with LPA2; 64K level 2, and
 * 1 with LPA.
 */
const FIRST_BLOCK: Record<number, readonly [number, number]> = { 4: [1, 0], 16: [2, 1], 64: [2, 1] };

/** Pages of a Svnapot region: 64 KiB is the only size that is defined. Source: RISC-V privileged specification, "Svnapot". */
const NAPOT_PAGES = 16;

/** The geometry of a format, from its parameters alone. */
export function geometryOf(shape: FormatShape): Geometry {
  const { architecture, granule, vaBits, large, depth } = shape;
  const pageShift = 10 + Math.log2(granule);
  const perLevel = pageShift - 3;
  const levels: ManualLevel[] = [];
  for (let index = 0; index < depth; index++) {
    const above = depth - 1 - index;
    const shift = pageShift + perLevel * above;
    const bits = index === 0 ? vaBits - shift : perLevel;
    const isLast = above === 0;
    const armLevel = 3 - above;
    const firstBlock = (FIRST_BLOCK[granule] as readonly [number, number])[large ? 1 : 0];
    const contiguous = (CONTIGUOUS[granule] as readonly number[])[armLevel] ?? 0;
    levels.push({
      shift,
      bits,
      pages: 2 ** (shift - pageShift),
      tablePages: 2 ** (shift - pageShift + bits),
      mayMap: {
        arm64: isLast || armLevel >= firstBlock,
        riscv64: true,
        // SDM vol. 3A, Paging: 4 KiB, 2 MiB and 1 GiB.
        'x86-64': shift <= 30,
      }[architecture],
      run: { arm64: contiguous, riscv64: isLast ? NAPOT_PAGES : 0, 'x86-64': 0 }[architecture],
    });
  }
  const paBits = { arm64: large ? 52 : 48, riscv64: 56, 'x86-64': large ? 52 : 46 }[architecture];
  return {
    shape,
    pageShift,
    levels,
    last: depth - 1,
    pages: 2 ** (vaBits - pageShift),
    frameLimit: 2 ** (paBits - pageShift),
  };
}

/** The address of a page; of one beyond the range, the address that stands there in a row of bytes. */
export function addressOfPage({ shape, pageShift, pages }: Geometry, page: number): bigint {
  const low = BigInt(page) << BigInt(pageShift);
  const top = 1n << 64n;
  const isUpper = shape.upper === 'ones' || (shape.upper === 'sign' && page >= pages / 2);
  return BigInt.asUintN(64, isUpper ? low + top - (1n << BigInt(shape.vaBits)) : low);
}
