import { type Reader, untilNul } from '../source/reader.js';

/** An ELF note: its owner, its number, and its data. */
export interface NoteBytes {
  readonly name: string;
  readonly type: number;
  /** Where its data begins in the file. */
  readonly offset: number;
  readonly data: Uint8Array;
}

/** Bytes of all notes, of one note's data and of its name that are read at most. */
const MOST_NOTES = 2 ** 25;
const MOST_DATA = 2 ** 20;
const MOST_NAME = 256;

/**
 * Reads the notes of a range of the file. Notes behind a damaged one cannot be found, so the rest becomes a warning.
 *
 * Source: gABI 4.1, "Note Section". Names and data are padded to 4 bytes, in 64-bit files too.
 */
export function notesIn(reader: Reader, offset: number, bytes: number, warnings: string[]): NoteBytes[] {
  const notes: NoteBytes[] = [];
  const end = offset + Math.min(bytes, MOST_NOTES);
  for (let from = offset; from + 12 <= end; ) {
    if (from + 12 > reader.size) {
      warnings.push('the notes are cut: the file ends before them');
      break;
    }
    const head = reader.view(from, 12, 'a note');
    const nameBytes = head.getUint32(0, true);
    const dataBytes = head.getUint32(4, true);
    const type = head.getUint32(8, true);
    if (nameBytes === 0 && dataBytes === 0 && type === 0) break;
    const data = from + 12 + padded(nameBytes);
    if (nameBytes > MOST_NAME || dataBytes > MOST_DATA || data + dataBytes > Math.min(end, reader.size)) {
      warnings.push(
        `the note at byte 0x${from.toString(16)} says that it has ${dataBytes} bytes: it and the rest are not read`,
      );
      break;
    }
    const name = untilNul(reader.bytes(from + 12, nameBytes, "a note's name"));
    notes.push({ name, type, offset: data, data: reader.bytes(data, dataBytes, `the note ${name}`).slice() });
    from = data + padded(dataBytes);
  }
  return notes;
}

function padded(bytes: number): number {
  return Math.ceil(bytes / 4) * 4;
}

/** An unsigned 64-bit integer of a note; `null` when the note is shorter. */
export function quad({ data }: NoteBytes, offset: number): bigint | null {
  if (offset + 8 > data.length) return null;
  return new DataView(data.buffer, data.byteOffset, data.byteLength).getBigUint64(offset, true);
}
