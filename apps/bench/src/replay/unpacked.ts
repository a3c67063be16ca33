import { constants, gunzipSync } from 'node:zlib';

/** The text of a recording. */
export interface Unpacked {
  /** Without a byte order mark; lines end in LF. */
  readonly text: string;
  /** True when a gzip file ends before its end: the text is what came until then. */
  readonly isCut: boolean;
}

/**
 * Unpacks a recording, gzip or plain. A recorder that is stopped leaves a gzip file without its end: what came is read.
 *
 * @throws Error when the gzip file is damaged in another way.
 */
export function unpacked(bytes: Buffer): Unpacked {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return { text: textOf(bytes), isCut: false };
  try {
    return { text: textOf(gunzipSync(bytes)), isCut: false };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'Z_BUF_ERROR') throw error;
    return { text: textOf(gunzipSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH })), isCut: true };
  }
}

/** Editors of other systems write a mark at the start, and CR LF at the ends of lines. */
function textOf(bytes: Buffer): string {
  return bytes
    .toString('latin1')
    .replace(/^\u00ef\u00bb\u00bf/, '')
    .replaceAll('\r\n', '\n')
    .replace(/\r$/, '\n');
}
