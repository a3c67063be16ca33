import type { Source } from '@vmarea/image';

/** The most that is read at once. Bytes. */
const MOST = 2 ** 23;
const FEWEST = 2 ** 16;

/**
 * A source that reads ahead while it is read from front to back, as a search through all memory does: each read of a file costs a browser
 * about a millisecond. 64 KiB at once are 70 MiB a second, 8 MiB at once are 700. Other reads take what they need.
 */
export function readAhead(source: Source): Source {
  let start = 0;
  let bytes = new Uint8Array(0);
  /** Where the last read ended. */
  let end = -1;
  let ahead = FEWEST;
  return {
    size: source.size,
    read(offset, length) {
      if (offset >= start && offset + length <= start + bytes.length) {
        end = offset + length;
        return bytes.slice(offset - start, offset - start + length);
      }
      const isNext = offset === end;
      end = offset + length;
      // Nothing is read ahead of a place that was only looked at.
      ahead = isNext ? Math.min(2 * ahead, MOST) : FEWEST;
      if (!isNext || length >= ahead) return source.read(offset, length);
      start = offset;
      bytes = new Uint8Array(source.read(offset, Math.min(ahead, source.size - offset)));
      return bytes.slice(0, length);
    },
  };
}
