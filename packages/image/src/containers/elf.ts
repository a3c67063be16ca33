import { type NoteBytes, notesIn } from '../notes/elf-notes.js';
import { broken } from '../source/broken.js';
import { type Reader, u64 } from '../source/reader.js';
import { type Contents, NOTHING } from './contents.js';
import { checkRange, MOST_PIECES, pieceContents, piecesIn } from './piece-contents.js';
import type { Piece } from './pieces.js';

const HEADER = 64;
/** Bytes of a program header and a section header of ELFCLASS64. */
const SEGMENT = 56;
const SECTION = 64;
const CORE = 4;
const LOAD = 1;
const NOTE = 4;
/** e_phnum when the count does not fit: it is then in `sh_info` of section 0. */
const PN_XNUM = 0xffff;
/** QEMU writes the 32-bit machine when processor 0 is not in long mode. The file has ELFCLASS64 all the same. */
const EM_386 = 3;
const EM_X86_64 = 62;

export const ELF_MAGIC = '\x7fELF';

/**
 * An ELF core: QEMU's dump-guest-memory with and without paging, /proc/vmcore, makedumpfile -E, VirtualBox.
 *
 * Source: gABI 4.1, "ELF Header" and "Program Header"; QEMU dump/dump.c; Linux fs/proc/vmcore.c; VirtualBox DBGFCoreWrite.cpp.
 *
 * @throws VmError `EINVAL` when it is another ELF file, or damaged.
 */
export function openElf(reader: Reader): Contents {
  const header = reader.view(0, HEADER, 'the ELF header');
  expectIs(4, header.getUint8(4), 2, 'ELFCLASS64 (2)');
  expectIs(5, header.getUint8(5), 1, 'little-endian data (1)');
  expectIs(16, header.getUint16(16, true), CORE, 'the type ET_CORE (4)');
  const warnings: string[] = [];
  const number = header.getUint16(18, true);
  if (number === EM_386)
    warnings.push(
      'the file says 32-bit x86, as QEMU does when processor 0 is not in long mode: read as x86-64',
    );
  const pieces: Piece[] = [];
  const notes: NoteBytes[] = [];
  let left = 0;
  let loads = 0;
  for (const { offset, view } of segments(reader, header)) {
    const type = view.getUint32(0, true);
    const inFile = u64(view, 8);
    const start = u64(view, 24);
    const fileBytes = u64(view, 32);
    const bytes = u64(view, 40);
    if (type === NOTE && fileBytes > 0) notes.push(...notesIn(reader, inFile, fileBytes, warnings));
    if (type !== LOAD) continue;
    loads++;
    // No physical address, as segments of /proc/kcore for vmalloc.
    if (start >= 2 ** 63 || Math.max(fileBytes, bytes) === 0) continue;
    const end = start + Math.max(fileBytes, bytes);
    checkRange(offset + 24, start, end);
    if (fileBytes > 0) pieces.push(...piecesIn(reader, start, inFile, fileBytes));
    if (bytes > fileBytes) {
      pieces.push({ start: start + fileBytes, end, offset: 0, state: 'excluded' });
      left += bytes - fileBytes;
    }
  }
  refuseProcess(pieces, loads);
  if (left > 0) warnings.push(`${left} bytes were left out of the dump: they were zero, or not of interest`);
  return pieceContents(reader, pieces, {
    ...NOTHING,
    kind: 'elf',
    machine: number === EM_386 ? EM_X86_64 : number,
    notes,
    warnings,
  });
}

/** The core of a process has no physical addresses: all are 0. */
function refuseProcess(pieces: readonly Piece[], loads: number): void {
  if (loads === 0) throw broken(HEADER, 'the core has no segment PT_LOAD: expected memory');
  if (pieces.length > 1 && pieces.every(({ start }) => start === 0))
    throw broken(
      HEADER,
      'all segments have the physical address 0',
      'this is the core of a process, not of a machine',
    );
}

function* segments(
  reader: Reader,
  header: DataView,
): IterableIterator<{ readonly offset: number; readonly view: DataView }> {
  const first = u64(header, 32);
  const size = header.getUint16(54, true);
  let count = header.getUint16(56, true);
  if (count === PN_XNUM) {
    const sections = u64(header, 40);
    if (sections === 0)
      throw broken(40, 'e_phnum is PN_XNUM and there is no section header: expected one with the count');
    count = reader.view(sections, SECTION, 'section header 0').getUint32(44, true);
  }
  if (count === 0) throw broken(56, 'e_phnum is 0: expected program headers');
  if (size < SEGMENT) throw broken(54, `e_phentsize is ${size}: expected ${SEGMENT}`);
  if (count > MOST_PIECES) throw broken(56, `${count} program headers: expected at most ${MOST_PIECES}`);
  if (first + count * size > reader.size)
    throw broken(
      32,
      `${count} program headers from byte ${first} on: the file has ${reader.size} bytes`,
      'is it truncated?',
    );
  for (let i = 0; i < count; i++) {
    const offset = first + i * size;
    yield { offset, view: reader.view(offset, SEGMENT, `program header ${i}`) };
  }
}

function expectIs(offset: number, found: number, expected: number, what: string): void {
  if (found !== expected) throw broken(offset, `an ELF file with ${found}: expected ${what}`);
}
