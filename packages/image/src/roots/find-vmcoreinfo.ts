import { type Contents, readAdjacent } from '../containers/contents.js';
import { memoryRuns } from '../containers/memory-runs.js';
import { Vmcoreinfo } from '../notes/vmcoreinfo.js';

/** Bytes of the smallest page. The kernel's text and its note begin at the start of one. */
const PAGE = 4096;
/** Bytes of a note's header with the name that is looked for, and where its length is. */
const HEADER = 24;
const NAME = 'VMCOREINFO\0';
const TEXT = 'OSRELEASE=';
/** The text is one page of the kernel: 64 KiB at most. Source: Linux include/linux/vmcore_info.h, VMCOREINFO_BYTES. */
const MOST = 65536;
/** Different texts that are kept, and places that are looked at: a kernel has two places, and a crash kernel two more. */
const MOST_TEXTS = 16;
const MOST_PLACES = 256;

/** The texts that were found, and why there may be more. */
export interface FoundVmcoreinfo {
  /** Ascending by address, each text once. */
  readonly infos: readonly Vmcoreinfo[];
  /** Why the search ended before the end of memory; `null` when it did not. */
  readonly whyCut: string | null;
}

/**
 * Looks for VMCOREINFO in memory, as raw dumps and those of QEMU without its device need it: as a text, or as the note that the
 * kernel keeps ready for a crash. Both begin at the start of a page. A crash kernel has its own.
 *
 * Source: Linux kernel/vmcore_info.c: `vmcoreinfo_data` and `vmcoreinfo_note` are pages of their own.
 *
 * @param progress - told how far the search is: an address, and that of the end.
 */
export function findVmcoreinfo(
  contents: Contents,
  progress?: (address: number, end: number) => void,
): FoundVmcoreinfo {
  const infos: Vmcoreinfo[] = [];
  let places = 0;
  for (const { address, bytes } of memoryRuns(contents, PAGE, progress)) {
    for (let at = 0; at < bytes.length; at += PAGE) {
      const isText = startsWith(bytes, at, TEXT);
      if (!isText && !isNote(bytes, at)) continue;
      const start = address + at + (isText ? 0 : HEADER);
      if (infos.length >= MOST_TEXTS || places >= MOST_PLACES)
        return {
          infos,
          whyCut: `the search for VMCOREINFO ended at 0x${start.toString(16)}, after ${places} places with ${infos.length} different texts`,
        };
      places++;
      const length = isText ? MOST : new DataView(bytes.buffer, bytes.byteOffset + at).getUint32(4, true);
      const info = new Vmcoreinfo(
        bytesUpTo(contents, start, Math.min(length, MOST)),
        `memory at 0x${start.toString(16)}`,
      );
      if (info.has('OSRELEASE') && !infos.some(({ text }) => text === info.text)) infos.push(info);
    }
  }
  return { infos, whyCut: null };
}

function isNote(bytes: Uint8Array, at: number): boolean {
  return (
    bytes[at] === NAME.length &&
    bytes[at + 1] === 0 &&
    startsWith(bytes, at + 12, NAME) &&
    startsWith(bytes, at + HEADER, TEXT)
  );
}

function startsWith(bytes: Uint8Array, at: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text.charCodeAt(i)) return false;
  return true;
}

/** Bytes from an address on, as many as the dump has. */
function bytesUpTo(contents: Contents, address: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  return bytes.subarray(0, readAdjacent(contents, address, bytes));
}
