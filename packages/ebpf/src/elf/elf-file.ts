import { ByteReader } from './byte-reader.js';
import { shownSection } from './shown-section.js';

/** A section of an ELF file. */
export interface ElfSection {
  readonly index: number;
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  /** Where its bytes begin in the file. */
  readonly offset: number;
  /** Its length in bytes, in memory: a section of type NOBITS has no bytes in the file. */
  readonly size: number;
  readonly align: number;
  readonly link: number;
  readonly info: number;
  readonly entrySize: number;
}

/** A symbol. */
export interface ElfSymbol {
  readonly index: number;
  readonly name: string;
  /** STT_…: what it names. */
  readonly type: number;
  /** STB_…: local, global, weak. */
  readonly binding: number;
  /** Its section's index; `SHN_UNDEF` for one that is elsewhere. */
  readonly section: number;
  /** Bytes from the start of its section. */
  readonly value: number;
  readonly size: number;
}

/** A relocation: a place in a section that depends on a symbol. */
export interface ElfRelocation {
  /** Bytes from the start of the section that it changes. */
  readonly offset: number;
  readonly type: number;
  readonly symbol: ElfSymbol;
}

// Names and values: ELF-64 Object File Format, and Linux's include/uapi/linux/elf.h.
export const SHT_PROGBITS = 1;
export const SHT_NOBITS = 8;
const SHT_SYMTAB = 2;
const SHT_STRTAB = 3;
const SHT_REL = 9;
export const SHF_WRITE = 1;
export const SHF_ALLOC = 2;
export const SHF_EXECINSTR = 4;
export const SHN_UNDEF = 0;
export const STT_FUNC = 2;
export const STT_SECTION = 3;
export const STB_LOCAL = 0;
export const STB_WEAK = 2;
const EM_BPF = 247;
const ET_REL = 1;
const HEADER_BYTES = 64;
const SECTION_BYTES = 64;
const SYMBOL_BYTES = 24;
const RELOCATION_BYTES = 16;

/** The sections, symbols and relocations of an ELF file of 64 bits, little-endian, that a compiler wrote for BPF. */
export class ElfFile {
  readonly sections: readonly ElfSection[];
  readonly symbols: readonly ElfSymbol[];
  readonly #file: ByteReader;
  readonly #relocations = new Map<number, ElfSection[]>();

  /** @throws VmError `EINVAL` for anything else, with the offset in the file and what was expected there. */
  constructor(bytes: Uint8Array) {
    const file = new ByteReader(bytes, 'file');
    this.#file = file;
    requireHeader(file);
    this.sections = this.#readSections();
    const table = this.sections.find(({ type }) => type === SHT_SYMTAB);
    this.symbols = table === undefined ? [] : this.#readSymbols(table);
    for (const section of this.sections) {
      if (section.type !== SHT_REL) continue;
      const lists = this.#relocations.get(section.info) ?? [];
      lists.push(section);
      this.#relocations.set(section.info, lists);
    }
  }

  /** The section of a name; `undefined` without one. */
  section(name: string): ElfSection | undefined {
    return this.sections.find((one) => one.name === name);
  }

  /** A section's bytes; none of a section that has them in memory only. */
  bytesOf(section: ElfSection): Uint8Array {
    if (section.type === SHT_NOBITS) return new Uint8Array(0);
    return this.#file.bytes(section.offset, section.size);
  }

  /** A reader of a section's bytes. */
  readerOf(section: ElfSection): ByteReader {
    return new ByteReader(this.bytesOf(section), shownSection(section.name), section.offset);
  }

  /** The relocations of a section, in the file's order. */
  relocationsOf(section: ElfSection): ElfRelocation[] {
    return (this.#relocations.get(section.index) ?? []).flatMap((list) =>
      this.#readRelocations(list, section),
    );
  }

  #readSections(): ElfSection[] {
    const file = this.#file;
    const start = file.u64(40);
    const count = file.u16(60);
    const names = file.u16(62);
    const entry = file.u16(58);
    if (count === 0) throw file.refuse(60, 'expected section headers, but there are none');
    if (entry !== SECTION_BYTES)
      throw file.refuse(58, `a section header has ${entry} bytes, expected ${SECTION_BYTES}`);
    if (names >= count) throw file.refuse(62, `names are in section ${names} of ${count}`);
    file.bytes(start, count * SECTION_BYTES);
    let [inFile, inMemory] = [0, 0];
    const raw = Array.from({ length: count }, (_, index) => {
      const at = start + index * SECTION_BYTES;
      const section = {
        index,
        nameAt: file.u32(at),
        type: file.u32(at + 4),
        flags: file.u32(at + 8),
        offset: file.u64(at + 24),
        size: file.u64(at + 32),
        link: file.u32(at + 40),
        info: file.u32(at + 44),
        align: file.u64(at + 48),
        entrySize: file.u64(at + 56),
      };
      if (section.type === SHT_NOBITS) inMemory += section.size;
      else if (index > 0) inFile += file.bytes(section.offset, section.size).length;
      // Sections of one file do not overlap. Were they to, a small file could take any amount of memory.
      if (inFile > file.length) throw file.refuse(at + 24, 'sections overlap');
      if (inMemory > file.length * NOBITS_FACTOR + NOBITS_LEAST) {
        throw file.refuse(
          at + 32,
          `sections without bytes have ${inMemory} bytes in all, far more than the file`,
        );
      }
      return section;
    });
    const texts = this.#textsOf(raw, names, start + names * SECTION_BYTES);
    return raw.map(({ nameAt, ...section }) => ({ ...section, name: texts.text(nameAt) }));
  }

  #textsOf(
    sections: readonly { readonly type: number; readonly offset: number; readonly size: number }[],
    index: number,
    at: number,
  ): ByteReader {
    const texts = sections[index];
    if (texts?.type !== SHT_STRTAB) throw this.#file.refuse(at, `section ${index} is no table of texts`);
    return new ByteReader(this.#file.bytes(texts.offset, texts.size), 'table of texts', texts.offset);
  }

  #readSymbols(table: ElfSection): ElfSymbol[] {
    const reader = this.readerOf(table);
    const texts = this.#textsOf(this.sections, table.link, table.offset);
    return Array.from({ length: Math.floor(table.size / SYMBOL_BYTES) }, (_, index) => {
      const at = index * SYMBOL_BYTES;
      const info = reader.u8(at + 4);
      const section = reader.u16(at + 6);
      return {
        index,
        name: texts.text(reader.u32(at)),
        type: info & 15,
        binding: info >> 4,
        section,
        value: reader.u64(at + 8),
        size: reader.u64(at + 16),
      };
    });
  }

  #readRelocations(list: ElfSection, section: ElfSection): ElfRelocation[] {
    const reader = this.readerOf(list);
    return Array.from({ length: Math.floor(list.size / RELOCATION_BYTES) }, (_, i) => {
      const at = i * RELOCATION_BYTES;
      const offset = reader.u64(at);
      const index = reader.u32(at + 12);
      const symbol = this.symbols[index];
      if (symbol === undefined) throw reader.refuse(at + 12, `there is no symbol ${index}`);
      if (offset >= section.size)
        throw reader.refuse(at, `offset ${offset} is outside of ${shownSection(section.name)}`);
      return { offset, type: reader.u32(at + 8), symbol };
    });
  }
}

/** A section without bytes may be large, but a file of a few bytes must not take the memory of the machine. */
const NOBITS_FACTOR = 64;
const NOBITS_LEAST = 1 << 22;

function requireHeader(file: ByteReader): void {
  if (file.length < HEADER_BYTES) throw file.refuse(0, `expected an ELF header of ${HEADER_BYTES} bytes`);
  if (file.u32(0) !== 0x464c457f) throw file.refuse(0, 'expected 0x7f "ELF"');
  if (file.u8(4) !== 2) throw file.refuse(4, 'expected ELFCLASS64');
  if (file.u8(5) !== 1) throw file.refuse(5, 'expected little-endian data (clang -target bpfel)');
  if (file.u16(16) !== ET_REL) throw file.refuse(16, 'expected an object of type ET_REL (clang -c)');
  const machine = file.u16(18);
  if (machine !== EM_BPF)
    throw file.refuse(18, `the machine is ${machine}, expected ${EM_BPF} (clang -target bpf)`);
}
