import { type AccessBatch, FETCH, LOAD, STORE } from '@vmarea/compare';
import { BadTrace, type TraceCounts, type TraceReader, traceCounts } from './trace-reader.js';

/** Bytes of a record. */
export const CHAMPSIM_RECORD = 64;
const WORDS = CHAMPSIM_RECORD / 4;
/** Where addresses are in a record, in words of 32 bits: two of stores, then four of loads. */
const STORES_AT = 4;
const LOADS_AT = 8;

/**
 * Reads ChampSim's traces: records of 64 bytes, little-endian. u64 instruction pointer; u8 is_branch; u8 branch_taken; 2 + 4 registers; at
 * byte 16, two u64 that it stores to; at byte 32, four u64 that it loads from. An address of 0 is no access.
 *
 * A record has no sizes, so each access is one byte. Loads come before stores.
 *
 * Source: ChampSim, inc/trace_instruction.h.
 */
export class ChampsimReader implements TraceReader {
  readonly isText = false;
  readonly counts: TraceCounts = traceCounts();

  read(bytes: Uint8Array, end: number, batch: AccessBatch): number {
    const records = Math.floor(end / CHAMPSIM_RECORD);
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, records * WORDS);
    const { kind, hi, lo, bytes: sizes } = batch;
    let length = 0;
    for (let at = 0; at < words.length; at += WORDS) {
      // Each of the two bytes is 0 or 1.
      if (((words[at + 2] as number) & 0xfefe) !== 0) throw this.#bad(words, at);
      kind[length] = FETCH;
      lo[length] = words[at] as number;
      hi[length] = words[at + 1] as number;
      sizes[length++] = 1;
      for (let i = at + LOADS_AT; i < at + WORDS; i += 2) {
        const low = words[i] as number;
        const high = words[i + 1] as number;
        if ((low | high) === 0) continue;
        kind[length] = LOAD;
        lo[length] = low;
        hi[length] = high;
        sizes[length++] = 1;
      }
      for (let i = at + STORES_AT; i < at + LOADS_AT; i += 2) {
        const low = words[i] as number;
        const high = words[i + 1] as number;
        if ((low | high) === 0) continue;
        kind[length] = STORE;
        lo[length] = low;
        hi[length] = high;
        sizes[length++] = 1;
      }
    }
    batch.length = length;
    this.counts.records += records;
    return records * CHAMPSIM_RECORD;
  }

  place(): number {
    return this.counts.records + 1;
  }

  #bad(words: Uint32Array, at: number): BadTrace {
    const flags = words[at + 2] as number;
    return new BadTrace(
      this.counts.records + at / WORDS + 1,
      'is_branch and branch_taken, the bytes 8 and 9, to be 0 or 1',
      `${flags & 255} and ${(flags >>> 8) & 255}`,
    );
  }
}
