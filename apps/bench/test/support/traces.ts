import { type TraceFormat, traceReader } from '../../src/simulate/trace/recognize.js';
import type { TraceCounts } from '../../src/simulate/trace/trace-reader.js';
import { windowBatch } from '../../src/simulate/trace/window.js';

/** An access as a test writes it: `F`, `L` or `S`, address, bytes. */
export type Access = readonly [kind: 'F' | 'L' | 'S', address: bigint, bytes: number];

/** What a reader makes of bytes. */
export interface ReadBytes {
  readonly accesses: Access[];
  readonly counts: TraceCounts;
  /** Bytes that the reader left. */
  readonly rest: number;
}

/** Reads bytes with the reader of a format, as a file that comes in pieces of a size. */
export function readBytes(format: TraceFormat, bytes: Uint8Array | string, piece = 2 ** 16): ReadBytes {
  const all = typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes;
  const reader = traceReader(format);
  const batch = windowBatch();
  const window = new Uint8Array(2 ** 18 + 64);
  const accesses: Access[] = [];
  let have = 0;
  for (let from = 0; from < all.length; from += piece) {
    const part = all.subarray(from, from + piece);
    window.set(part, have);
    have += part.length;
    const done = reader.read(window, have, batch);
    for (let i = 0; i < batch.length; i++) {
      const address = (BigInt(batch.hi[i] as number) << 32n) | BigInt(batch.lo[i] as number);
      accesses.push(['FLS'[batch.kind[i] as number] as 'F' | 'L' | 'S', address, batch.bytes[i] as number]);
    }
    window.copyWithin(0, done, have);
    have -= done;
  }
  return { accesses, counts: reader.counts, rest: have };
}

/** The text of lackey with these accesses. */
export function lackeyText(accesses: readonly Access[]): string {
  const line = ([kind, address, bytes]: Access): string =>
    `${kind === 'F' ? 'I ' : ` ${kind}`} ${address.toString(16).padStart(8, '0')},${bytes}\n`;
  return accesses.map(line).join('');
}

/** A record of ChampSim. */
export function champsimRecord(
  ip: bigint,
  loads: readonly bigint[],
  stores: readonly bigint[],
  flags: readonly [number, number] = [0, 0],
): Uint8Array {
  const view = new DataView(new ArrayBuffer(64));
  view.setBigUint64(0, ip, true);
  view.setUint8(8, flags[0]);
  view.setUint8(9, flags[1]);
  for (const [i, address] of stores.entries()) view.setBigUint64(16 + 8 * i, address, true);
  for (const [i, address] of loads.entries()) view.setBigUint64(32 + 8 * i, address, true);
  return new Uint8Array(view.buffer);
}

/** Records of drmemtrace: type, size, value. */
export function drmemtraceRecords(records: readonly (readonly [number, number, bigint])[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(12 * records.length));
  for (const [i, [type, size, value]] of records.entries()) {
    view.setUint16(12 * i, type, true);
    view.setUint16(12 * i + 2, size, true);
    view.setBigUint64(12 * i + 4, value, true);
  }
  return new Uint8Array(view.buffer);
}
