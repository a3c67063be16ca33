import type { Area, AreaInfo } from '../../area/area.js';
import type { ReserveOptions, VmapAreasOptions } from '../../area/areas-options.js';
import type { AddressWindow } from '../../area/page-units.js';
import { VmapAreas } from '../../area/vmap-areas.js';
import { VmapBlocks, type VmapBlocksOptions } from '../../area/vmap-blocks.js';
import { VmStruct } from '../areas/vm-struct.js';
import type { PlainOp, Recorder } from './recorder.js';
import type { Structs } from './structs.js';

/** Bytes that are taken for a reservation: its operation, its undoing, and the fields of its area. */
const RESERVATION = 900;
/** The same for a range of a block. */
const RANGE = 160;
/** Most characters that one character of a caller's name becomes. */
const ESCAPED = 6;

/** Areas whose operations are noted for other threads. */
export class RecordedAreas extends VmapAreas {
  readonly #recorder: Recorder;
  readonly #structs: Structs;

  constructor(options: VmapAreasOptions, recorder: Recorder, structs: Structs) {
    super({ ...options, sink: recorder.gate });
    this.#recorder = recorder;
    this.#structs = structs;
    for (const area of this) this.#note(area);
  }

  override reserve(bytes: number | bigint, options: ReserveOptions = {}): Area {
    const reserve = (): Area => this.#note(super.reserve(bytes, options));
    const { info, ...rest } = options;
    this.#recorder.charge(RESERVATION + ESCAPED * (info?.caller?.length ?? 0));
    return this.#recorder.record(['reserve', bytes, rest], reserve, ({ address }) => address);
  }

  override reservePages(
    pages: number,
    guardBytes: number,
    cpu: number,
    mayPurge: boolean,
    info: AreaInfo,
  ): Area {
    const bytes = BigInt(pages) << BigInt(this.pageShift);
    return this.reserve(bytes, { guardBytes, ioremap: false, cpu, mayPurge, info });
  }

  override reservePercpu(
    offsets: readonly number[],
    sizes: readonly number[],
    align: bigint,
    infoOf?: (index: number) => AreaInfo,
  ): readonly Area[] {
    const reserve = (): readonly Area[] =>
      super.reservePercpu(offsets, sizes, align, infoOf).map((area) => this.#note(area));
    if (!this.#recorder.isOutermost) return reserve();
    const caller = offsets.length === 0 ? undefined : infoOf?.(0).caller;
    this.#recorder.charge(offsets.length * (RESERVATION + ESCAPED * (caller?.length ?? 0)));
    const op: PlainOp = ['percpu', [...offsets], [...sizes], align];
    return this.#recorder.record(op, reserve, (areas) => areas.map(({ address }) => address));
  }

  override free(area: Area, mayPurge: boolean = true): void {
    const free = (): void => {
      try {
        super.free(area, mayPurge);
      } finally {
        this.#forget(area);
      }
    };
    this.#recorder.record(['free', area?.address, mayPurge], free);
  }

  override cancel(area: Area): void {
    const cancel = (): void => {
      super.cancel(area);
      this.#forget(area);
    };
    this.#recorder.record(['cancel', area?.address], cancel);
  }

  override purge(also?: AddressWindow, release?: () => readonly Area[]): number {
    const purge = (): number => super.purge(also, release);
    return this.#recorder.record(['purge', also ?? 0], purge, (waited) => waited);
  }

  override purgeIfDue(): void {
    if (!this.isPurgeDue) return;
    this.#recorder.record(['purgeIfDue'], () => super.purgeIfDue());
  }

  override shrink(): void {
    this.#recorder.record(['shrink'], () => super.shrink());
  }

  override find(address: bigint): Area | undefined {
    const area = super.find(address);
    if (this.#recorder.isOutermost && area?.info instanceof VmStruct) this.#recorder.touch(area.info);
    return area;
  }

  #note(area: Area): Area {
    if (!(area.info instanceof VmStruct)) return area;
    // Also set by whoever asked for it.
    area.info.area = area;
    this.#structs.add(area.info);
    this.#recorder.made(area.info);
    return area;
  }

  #forget(area: Area): void {
    if (area?.info instanceof VmStruct && this.find(area.address) !== area) this.#structs.remove(area.info);
  }
}

/** Blocks whose operations are noted for other threads. */
export class RecordedBlocks extends VmapBlocks {
  readonly #recorder: Recorder;

  constructor(options: VmapBlocksOptions, recorder: Recorder) {
    super(options);
    this.#recorder = recorder;
  }

  override reserve(pages: number, cpu = 0): bigint {
    this.#recorder.charge(RANGE);
    return this.#recorder.record(
      ['blocks.reserve', pages, cpu],
      () => super.reserve(pages, cpu),
      (address) => address,
    );
  }

  override free(address: bigint, pages: number): void {
    this.#recorder.record(['blocks.free', address, pages], () => super.free(address, pages));
  }

  override cancel(address: bigint): void {
    this.#recorder.record(['blocks.cancel', address], () => super.cancel(address));
  }

  override unmapAliases(also?: AddressWindow): void {
    this.#recorder.record(['blocks.unmapAliases', also ?? 0], () => super.unmapAliases(also));
  }
}
