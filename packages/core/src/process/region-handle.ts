import { hex, VmError } from '../errors.js';
import { printsItself } from '../prints.js';
import {
  flagsOf,
  isForbidden,
  type RegionFlags,
  VM_EXEC,
  VM_READ,
  VM_WRITE,
  withFlags,
} from './region-flags.js';
import type { MappedObject, Region, RegionOperations, RegionProcess } from './region-operations.js';
import type { RegionRecord } from './region-record.js';

/** What callers hold of a region. */
export class RegionHandle implements Region {
  readonly process: RegionProcess;
  readonly #record: RegionRecord;
  readonly #shift: bigint;

  constructor(process: RegionProcess, record: RegionRecord, pageShift: number) {
    this.process = process;
    this.#record = record;
    this.#shift = BigInt(pageShift);
    printsItself(new.target.prototype);
  }

  get isLive(): boolean {
    return this.#record.isLive;
  }

  get start(): bigint {
    return BigInt(this.#record.first) << this.#shift;
  }

  get end(): bigint {
    return BigInt(this.#record.end) << this.#shift;
  }

  get pgoff(): number {
    return this.#record.pgoff;
  }

  get read(): boolean {
    return (this.#record.bits & VM_READ) !== 0;
  }

  get write(): boolean {
    return (this.#record.bits & VM_WRITE) !== 0;
  }

  get execute(): boolean {
    return (this.#record.bits & VM_EXEC) !== 0;
  }

  get shared(): boolean {
    return this.#record.isShared;
  }

  get flags(): Required<RegionFlags> {
    return flagsOf(this.#record.bits);
  }

  get object(): MappedObject | null {
    return this.#record.object?.face ?? null;
  }

  get operations(): RegionOperations | null {
    return this.#record.operations;
  }

  get name(): string {
    return this.#record.name ?? this.#record.object?.face.name ?? '';
  }

  get data(): unknown {
    return this.#record.data;
  }

  set data(data: unknown) {
    this.#record.data = data;
  }

  setFlags(flags: RegionFlags): void {
    const record = this.#record;
    if (!record.isBeingMade)
      throw new VmError('EINVAL', 'the marks of a region change only while it is made', {
        address: this.start,
        advice: 'call setFlags() in the operation mmap, or pass flags to mmap()',
      });
    const bits = withFlags(record.bits, flags, 'setFlags()');
    if (isForbidden(bits))
      throw new VmError('EACCES', 'the region has a right that the marks forbid', { address: this.start });
    record.bits = bits;
  }

  toString(): string {
    const rights = [this.read ? 'r' : '-', this.write ? 'w' : '-', this.execute ? 'x' : '-'].join('');
    const what = `Region ${hex(this.start)}-${hex(this.end)} ${rights}${this.shared ? 's' : 'p'} ${this.name}`;
    return `${what.trimEnd()}${this.isLive ? '' : ', gone'}`;
  }
}
