import { CHAMPSIM_RECORD, ChampsimReader } from './champsim.js';
import { DRMEMTRACE_RECORD, DrmemtraceReader, HEADER } from './drmemtrace.js';
import { DrmemtraceViewReader } from './drmemtrace-view.js';
import { LackeyReader } from './lackey.js';
import type { TraceReader } from './trace-reader.js';

/** The formats of traces, by the names of `--trace-format`. */
export const TRACE_FORMATS = ['lackey', 'champsim', 'drmemtrace', 'drmemtrace-view'] as const;

/** One of them. */
export type TraceFormat = (typeof TRACE_FORMATS)[number];

/** Makes a reader of a format. */
export function traceReader(format: TraceFormat): TraceReader {
  return READERS[format]();
}

const READERS: Readonly<Record<TraceFormat, () => TraceReader>> = {
  lackey: () => new LackeyReader(),
  champsim: () => new ChampsimReader(),
  drmemtrace: () => new DrmemtraceReader(),
  'drmemtrace-view': () => new DrmemtraceViewReader(),
};

const LACKEY = /^(?:==\d+== Lackey|I {2}[0-9a-f]{4,16},\d+\r?$| [LSM] [0-9a-f]{4,16},\d+\r?$)/m;
const VIEW = /^(?:Output format:|<--record#->| *\d+ +\d+: +\S+ +(?:ifetch|read|write|<marker))/m;
/** Records whose bytes must all be possible for ChampSim's format, which has no mark of its own. */
const MOST_RECORDS = 64;

/**
 * Tells the format of a trace by its content.
 *
 * @param bytes - the first of it, unpacked.
 * @param isWhole - there are no more.
 * @returns `null` when it is none.
 */
export function recognize(bytes: Uint8Array, isWhole: boolean): TraceFormat | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length >= DRMEMTRACE_RECORD && isHeader(view)) return 'drmemtrace';
  const text = new TextDecoder('latin1').decode(bytes);
  if (LACKEY.test(text)) return 'lackey';
  if (VIEW.test(text)) return 'drmemtrace-view';
  return mayBeChampsim(view, isWhole) ? 'champsim' : null;
}

/** A header of drmemtrace: type, size 0, and a small version. */
function isHeader(view: DataView): boolean {
  return (
    view.getUint16(0, true) === HEADER &&
    view.getUint16(2, true) === 0 &&
    view.getUint32(4, true) < 1000 &&
    view.getUint32(8, true) === 0
  );
}

function mayBeChampsim(view: DataView, isWhole: boolean): boolean {
  const records = Math.min(MOST_RECORDS, Math.floor(view.byteLength / CHAMPSIM_RECORD));
  if (records === 0 || (isWhole && view.byteLength % CHAMPSIM_RECORD !== 0)) return false;
  for (let i = 0; i < records; i++) {
    const at = i * CHAMPSIM_RECORD;
    if (view.getUint8(at + 8) > 1 || view.getUint8(at + 9) > 1) return false;
    const ip = view.getBigUint64(at, true);
    // User addresses of every architecture are below 2^57.
    if (ip === 0n || ip >> 57n !== 0n) return false;
  }
  return true;
}

/** What packs files that this app does not unpack, by their first bytes. */
const PACKERS: readonly (readonly [readonly number[], string, string])[] = [
  [[0xfd, 0x37, 0x7a, 0x58, 0x5a], 'xz', 'xz -dc'],
  [[0x28, 0xb5, 0x2f, 0xfd], 'zstd', 'zstd -dc'],
  [[0x42, 0x5a, 0x68], 'bzip2', 'bzip2 -dc'],
  [[0x04, 0x22, 0x4d, 0x18], 'lz4', 'lz4 -dc'],
  [[0x50, 0x4b, 0x03, 0x04], 'zip', 'unzip -p'],
];

/** The program that packed a file, and the command that unpacks it; `null` for none that is known. */
export function packerOf(bytes: Uint8Array): { readonly name: string; readonly command: string } | null {
  for (const [start, name, command] of PACKERS)
    if (start.every((byte, i) => bytes[i] === byte)) return { name, command };
  return null;
}
