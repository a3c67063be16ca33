import { VmError } from '../../errors.js';
import type { VmStruct } from '../areas/vm-struct.js';
import type { PurgeGate } from './purge-gate.js';

/** What came out of an operation that found no addresses, or whose sink threw. Others give an address, or 0. */
export const NO_ROOM = -1;
export const THREW = -2;

/** An operation: its name, its arguments, and what came out. */
export type PlainOp = readonly [name: string, ...rest: unknown[]];

/** Bytes of a record that no operation is charged for. */
const SLACK = 1024;

/**
 * Notes the operations on areas and blocks of one call, and which areas it may have changed. An operation
 * inside another one is not noted: the outer one makes it again when it is replayed.
 */
export class Recorder {
  readonly gate: PurgeGate;
  #ops: PlainOp[] | null = null;
  #depth = 0;
  #room = 0;
  readonly #textOf: (vm: VmStruct) => string;
  /** Areas that the call has met, and what was published of them; `''` for nothing. */
  readonly touched: Map<VmStruct, string> = new Map();

  /** @param textOf - the fields of an area, as the log has them. */
  constructor(gate: PurgeGate, textOf: (vm: VmStruct) => string) {
    this.gate = gate;
    this.#textOf = textOf;
  }

  /** True when an operation that begins now must be noted. */
  get isOutermost(): boolean {
    return this.#ops !== null && this.#depth === 0;
  }

  /** True inside a call that is noted. */
  get isActive(): boolean {
    return this.#ops !== null;
  }

  /** Begins a call. @param room - bytes that its record may have. */
  begin(room: number): void {
    this.#ops = [];
    this.#room = room - SLACK;
    this.touched.clear();
  }

  /** Ends the call. Returns its operations. */
  end(): readonly PlainOp[] {
    const ops = this.#ops ?? [];
    this.#ops = null;
    return ops;
  }

  /**
   * Takes room for what will be noted, before anything is changed.
   *
   * @throws VmError `ENOMEM` when the record would not fit the log.
   */
  charge(bytes: number): void {
    if (!this.isOutermost) return;
    if (bytes > this.#room)
      throw new VmError('ENOMEM', `the area log has no room for ${bytes} more bytes of this call`, {
        advice: 'share the space with a larger log (`logBytes`), or ask for fewer areas at once',
      });
    this.#room -= bytes;
  }

  /** Notes that the call may change an area that was published before. */
  touch(vm: VmStruct): void {
    if (this.#ops === null || this.touched.has(vm)) return;
    const text = this.#textOf(vm);
    this.charge(2 * text.length + 64);
    this.touched.set(vm, text);
  }

  /** Notes an area that the call makes. */
  made(vm: VmStruct): void {
    if (this.#ops !== null) this.touched.set(vm, '');
  }

  /**
   * Makes an operation and notes it, with what came out. One inside another, or in a replay, is only made.
   *
   * @param outcomeOf - what came out, as plain data. Default: 0.
   */
  record<R>(op: PlainOp, call: () => R, outcomeOf: (result: R) => unknown = () => 0): R {
    const ops = this.#ops;
    if (ops === null || this.#depth > 0) return call();
    this.#depth++;
    this.gate.hasThrown = false;
    try {
      const result = call();
      ops.push([...op, outcomeOf(result)]);
      return result;
    } catch (error) {
      // Other errors are refusals, which changed nothing.
      if (this.gate.hasThrown) ops.push([...op, THREW]);
      else if (error instanceof VmError && error.code === 'ENOMEM') ops.push([...op, NO_ROOM]);
      throw error;
    } finally {
      this.#depth--;
    }
  }
}
