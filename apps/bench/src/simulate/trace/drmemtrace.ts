import { type AccessBatch, FETCH, LOAD, STORE } from '@vmarea/compare';
import { BadTrace, type TraceCounts, type TraceReader, traceCounts } from './trace-reader.js';

/** Bytes of a record. */
export const DRMEMTRACE_RECORD = 12;
const WORDS = DRMEMTRACE_RECORD / 4;

/** `trace_type_t` of the first record: its value is the version of the format. */
export const HEADER = 25;
const READ = 0;
const WRITE = 1;
const LAST_TYPE = 49;
const OTHER = 255;

/** What each `trace_type_t` is as an access. Instructions that are not fetched again (29) and prefetches are none. */
const KIND_OF: Uint8Array = new Uint8Array(LAST_TYPE + 1).fill(OTHER);
KIND_OF[READ] = LOAD;
KIND_OF[WRITE] = STORE;
for (const type of [10, 11, 12, 13, 14, 15, 16, 30, 31, 48, 49]) KIND_OF[type] = FETCH;

/**
 * Reads the final traces of DynamoRIO's drmemtrace: packed records of 12 bytes, little-endian. u16 type, u16 size, u64 value. All threads of
 * the file are one stream, in its order.
 *
 * Source: DynamoRIO, clients/drcachesim/common/trace_entry.h.
 */
export class DrmemtraceReader implements TraceReader {
  readonly isText = false;
  readonly counts: TraceCounts = traceCounts();
  #done = 0;

  read(bytes: Uint8Array, end: number, batch: AccessBatch): number {
    const records = Math.floor(end / DRMEMTRACE_RECORD);
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, records * WORDS);
    if (this.#done === 0 && records > 0) checkHeader(words);
    const { kind, hi, lo, bytes: sizes } = batch;
    let length = 0;
    for (let at = 0; at < words.length; at += WORDS) {
      const word = words[at] as number;
      const type = word & 0xffff;
      if (type > LAST_TYPE) throw this.#bad(at, type);
      const one = KIND_OF[type] as number;
      if (one === OTHER) continue;
      kind[length] = one;
      lo[length] = words[at + 1] as number;
      hi[length] = words[at + 2] as number;
      // A size of 0 is a reference whose size the tracer did not know.
      sizes[length++] = word >>> 16 || 1;
    }
    batch.length = length;
    this.#done += records;
    this.counts.records += length;
    this.counts.others += records - length;
    return records * DRMEMTRACE_RECORD;
  }

  place(): number {
    return this.#done + 1;
  }

  #bad(at: number, type: number): BadTrace {
    return new BadTrace(
      this.#done + at / WORDS + 1,
      `a type from 0 to ${LAST_TYPE} in its first two bytes`,
      `${type}`,
    );
  }
}

function checkHeader(words: Uint32Array): void {
  const type = (words[0] as number) & 0xffff;
  if (type !== HEADER) throw new BadTrace(1, `a header (type ${HEADER})`, `type ${type}`);
}
