import { plural, UsageError } from '@vmarea/cli';
import type { AccessBatch } from '@vmarea/compare';
import { NEWLINE } from './lines.js';
import { packerOf, recognize, TRACE_FORMATS, type TraceFormat, traceReader } from './recognize.js';
import type { TraceSource } from './source.js';
import { BadTrace, type TraceReader } from './trace-reader.js';
import { WINDOW_BYTES, windowBatch } from './window.js';

/** What a trace is, after it was read. */
export interface TraceRead {
  readonly format: TraceFormat;
  /** Records that give accesses; lines or records of other kinds, and the first of these for people. */
  readonly records: number;
  readonly others: number;
  readonly firstOther: string;
  /** Bytes, unpacked. */
  readonly bytes: number;
  /** What is missing at its end; `null` when nothing is. */
  readonly cutOff: string | null;
}

/** Room behind a window: readers may look a little further than the end. */
const SLACK = 64;

/**
 * Reads a trace once, from its start.
 *
 * @param format - `null`: told by the content.
 * @param use - takes each batch, in order. The batch is refilled afterwards.
 * @throws UsageError with file, line or record, and what was expected; `TruncatedGzip` as `TraceSource.bytes`.
 */
export async function readTrace(
  source: TraceSource,
  format: TraceFormat | null,
  use: (batch: AccessBatch) => Promise<void>,
): Promise<TraceRead> {
  const window = new Uint8Array(WINDOW_BYTES + SLACK);
  const batch = windowBatch();
  let known = format;
  let reader: TraceReader | null = format === null ? null : traceReader(format);
  let have = 0;
  let bytes = 0;
  const parse = async (isWhole: boolean): Promise<void> => {
    known ??= formatOf(window.subarray(0, have), isWhole, source);
    reader ??= traceReader(known);
    const done = reader.read(window, have, batch);
    if (batch.length > 0) await use(batch);
    window.copyWithin(0, done, have);
    have -= done;
  };
  try {
    for await (const chunk of source.bytes()) {
      bytes += chunk.length;
      for (let from = 0; from < chunk.length; ) {
        const part = Math.min(chunk.length - from, WINDOW_BYTES - have);
        window.set(chunk.subarray(from, from + part), have);
        have += part;
        from += part;
        if (have === WINDOW_BYTES) await parse(false);
      }
    }
    await parse(true);
    if (have > 0 && isText(reader) && !source.isTruncated) {
      window[have++] = NEWLINE;
      await parse(true);
    }
  } catch (error) {
    if (error instanceof BadTrace) throw located(error, source.file, isText(reader));
    throw error;
  }
  return ended(reader as unknown as TraceReader, known as unknown as TraceFormat, source, bytes, have);
}

function isText(reader: TraceReader | null): boolean {
  return reader?.isText === true;
}

function ended(
  reader: TraceReader,
  format: TraceFormat,
  source: TraceSource,
  bytes: number,
  rest: number,
): TraceRead {
  const { records, others, firstOther } = reader.counts;
  if (records === 0)
    throw new UsageError(
      `${source.file} has no memory access in the format ${format}` +
        (source.isTruncated ? ', as far as it came: its gzip data ends too early' : '') +
        (others === 0 || !reader.isText ? '' : `; its first line is ${firstOther}`),
    );
  const unit = reader.isText ? 'line' : 'record';
  const missing: string[] = [];
  if (source.isTruncated) missing.push('its gzip data ends too early');
  if (rest > 0) missing.push(`${unit} ${reader.place()} is cut off after ${rest} bytes`);
  const cutOff = missing.length === 0 ? null : missing.join(', and ');
  return { format, records, others, firstOther, bytes, cutOff };
}

/** A mistake in a file: `trace.txt:7: expected …`, `trace.bin, record 7: expected …`. */
function located(error: BadTrace, file: string, isLine: boolean): UsageError {
  const where = isLine ? `${file}:${error.place}` : `${file}, record ${error.place}`;
  return new UsageError(`${where}: ${error.message}`, { cause: error });
}

/**
 * The format of a trace whose first bytes these are.
 *
 * @throws UsageError when it is none.
 */
function formatOf(
  bytes: Uint8Array,
  isWhole: boolean,
  { file, isPacked, isTruncated }: TraceSource,
): TraceFormat {
  const format = recognize(bytes, isWhole);
  if (format !== null) return format;
  const packer = packerOf(bytes);
  if (packer !== null)
    throw new UsageError(
      `${file} is packed with ${packer.name}; unpack it: ${packer.command} ${file} | vmarea-bench simulate -`,
    );
  if (isWhole && isTruncated)
    throw new UsageError(
      `${file} is no trace that this command knows: its gzip data ends too early, after ${plural(bytes.length, 'byte')} unpacked; copy the file again`,
    );
  if (isWhole && isPacked && bytes.length === 0)
    throw new UsageError(`${file} is no trace that this command knows: its gzip data is empty`);
  throw new UsageError(
    `${file} is no trace that this command knows: lackey's text, records of ChampSim or drmemtrace, or the text of drmemtrace's view; ` +
      `--trace-format says which: ${TRACE_FORMATS.join(', ')}`,
  );
}
