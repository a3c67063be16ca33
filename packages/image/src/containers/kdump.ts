import { type NoteBytes, notesIn } from '../notes/elf-notes.js';
import { broken } from '../source/broken.js';
import type { Reader } from '../source/reader.js';
import { Bitmap } from './bitmap.js';
import { type Contents, NOTHING, noPage, type PageState, type Span } from './contents.js';
import { readKdumpHeader } from './kdump-header.js';
import { type FetchedPage, type KdumpFile, KdumpPages } from './kdump-pages.js';

/** Bit of the dump level: pages of zeros were left out. Source: makedumpfile, option -d. */
const NO_ZEROS = 1;

/**
 * A kdump file, or all parts of a split one.
 *
 * @param readers - one for each file, in any order.
 * @throws VmError `EINVAL` when one is damaged, or they do not belong together.
 */
export function openKdump(readers: readonly Reader[]): Contents {
  const files = readers.map((reader) => ({ reader, header: readKdumpHeader(reader) }));
  checkParts(files);
  return new Kdump(files);
}

class Kdump implements Contents {
  readonly kind = 'kdump';
  readonly machine = null;
  readonly registers = NOTHING.registers;
  readonly pageSize: number;
  readonly notes: readonly NoteBytes[];
  readonly vmcoreinfo: Uint8Array | null;
  readonly uts: readonly string[];
  readonly warnings: readonly string[];
  readonly start: number;
  readonly end: number;
  readonly bytes: number;
  readonly #size: number;
  readonly #exists: Bitmap;
  readonly #dumped: Bitmap;
  readonly #pages: KdumpPages;
  readonly #zeros: boolean;
  /** The page that was looked at last: `adjacent` and `read` mostly ask for the same one. */
  #lastPfn = -1;
  #lastPage: FetchedPage = '';

  constructor(files: readonly KdumpFile[]) {
    const [{ reader, header }] = files as [KdumpFile];
    const warnings: string[] = [];
    this.#size = header.blockSize;
    this.pageSize = header.blockSize;
    this.#exists = new Bitmap(reader, header.exists, header.pages);
    this.#dumped =
      header.dumped === header.exists ? this.#exists : new Bitmap(reader, header.dumped, header.pages);
    this.#pages = new KdumpPages(files, this.#dumped);
    this.#zeros = (header.dumpLevel & NO_ZEROS) !== 0;
    // Where the bitmaps contradict each other, a page that was dumped counts.
    const firsts = [this.#exists.next(0), this.#dumped.next(0)].filter((first) => first >= 0);
    this.start = firsts.length === 0 ? 0 : Math.min(...firsts) * this.#size;
    this.end = header.pages * this.#size;
    this.bytes = this.#dumped.count * this.#size;
    if (header.isIncomplete)
      warnings.push('the dump says that it is incomplete: its writer ran out of space');
    const lost = this.#pages.lost();
    if (lost > 0) warnings.push(`${lost} of the last pages are behind the end of the file: is it truncated?`);
    if (header.version > 6) warnings.push(`header_version is ${header.version}: read as 6`);
    const left = this.#exists.count - this.#dumped.count;
    if (left > 0)
      warnings.push(`${left} pages were left out of the dump, which has level ${header.dumpLevel}`);
    this.notes = notesOf(files, warnings);
    this.vmcoreinfo = textOf(files, warnings);
    this.uts = header.uts;
    this.warnings = warnings;
  }

  adjacent(address: number): number {
    const pfn = Math.floor(address / this.#size);
    return this.#dumped.has(pfn) && typeof this.#page(pfn) !== 'string'
      ? (pfn + 1) * this.#size - address
      : 0;
  }

  read(address: number, into: Uint8Array): void {
    const pfn = Math.floor(address / this.#size);
    const page = this.#page(pfn);
    if (typeof page === 'string') throw noPage(address);
    const from = address - pfn * this.#size;
    into.set(page.subarray(from, from + into.length));
  }

  isZeroFrame(address: number, bytes: number): boolean {
    if (!this.#zeros) return false;
    for (let pfn = Math.floor(address / this.#size); pfn * this.#size < address + bytes; pfn++) {
      if (!this.#exists.has(pfn) || this.#dumped.has(pfn)) return false;
    }
    return true;
  }

  stateOf(address: number): PageState {
    const pfn = Math.floor(address / this.#size);
    if (!this.#dumped.has(pfn)) return this.#exists.has(pfn) ? 'excluded' : 'absent';
    return typeof this.#page(pfn) === 'string' ? 'cut' : 'present';
  }

  whyNot(address: number): string | null {
    const pfn = Math.floor(address / this.#size);
    if (!this.#dumped.has(pfn)) return this.#exists.has(pfn) ? 'the dump left the page out' : null;
    const page = this.#page(pfn);
    return typeof page === 'string' ? `page ${pfn} cannot be read: ${page}` : null;
  }

  nextPresent(address: number): number {
    const pfn = Math.floor(address / this.#size);
    const next = this.#dumped.next(pfn);
    return next < 0 ? -1 : Math.max(address, next * this.#size);
  }

  *spans(): IterableIterator<Span> {
    for (let first = this.#exists.next(0); first >= 0; ) {
      const end = this.#exists.next(first, false);
      yield { start: first * this.#size, end: (end < 0 ? this.#exists.length : end) * this.#size };
      if (end < 0) return;
      first = this.#exists.next(end);
    }
  }

  #page(pfn: number): FetchedPage {
    if (pfn !== this.#lastPfn) {
      this.#lastPage = this.#pages.page(pfn);
      this.#lastPfn = pfn;
    }
    return this.#lastPage;
  }
}

function checkParts(files: readonly KdumpFile[]): void {
  const [first] = files as [KdumpFile];
  if (files.length === 1) return;
  for (const { header } of files) {
    if (header.part === null)
      throw broken(
        first.header.blockSize + 12,
        'split is 0: expected a part of a split dump, since several files were given',
      );
    if (header.pages !== first.header.pages || header.blockSize !== first.header.blockSize)
      throw broken(428, 'the parts have different numbers or sizes of pages: expected parts of one dump');
  }
}

/** Only one part of a split dump has notes. */
function notesOf(files: readonly KdumpFile[], warnings: string[]): NoteBytes[] {
  return files.flatMap(({ reader, header: { notes } }) =>
    notes === null ? [] : notesIn(reader, notes.offset, notes.bytes, warnings),
  );
}

function textOf(files: readonly KdumpFile[], warnings: string[]): Uint8Array | null {
  for (const { reader, header } of files) {
    if (header.vmcoreinfo === null) continue;
    const { offset, bytes } = header.vmcoreinfo;
    if (offset + bytes <= reader.size) return reader.bytes(offset, bytes, 'VMCOREINFO').slice();
    warnings.push('VMCOREINFO is behind the end of the file');
  }
  return null;
}
