import { VmError } from '@vmarea/core';
import { Btf } from '../btf/btf.js';
import { readLines } from '../btf/line-info.js';
import { mapDefinitions } from '../btf/map-definitions.js';
import {
  ElfFile,
  type ElfSection,
  SHF_ALLOC,
  SHF_EXECINSTR,
  SHF_WRITE,
  SHT_NOBITS,
  SHT_PROGBITS,
} from '../elf/elf-file.js';
import type { BpfObject, CodeSection, DataSection } from './bpf-object.js';
import { functionsOf } from './functions.js';
import { Targets } from './targets.js';

/** Where clang puts variables of address space 1 (libbpf's ARENA_SEC). */
const ARENA_SECTION = '.addr_space.1';

/**
 * Reads an object that clang 19 or newer wrote: `clang -target bpf -mcpu=v4 -O2 -g -c`.
 *
 * Nothing is run, and nothing of the file is trusted. What is kept are parts of `bytes`, so do not change them.
 *
 * @param bytes - of the file.
 * @throws VmError `EINVAL` for a file that is none or is damaged, with the offset in the file and what was expected there; `E2BIG` for
 *   more than 64 maps.
 * @example
 * ```ts
 * const object = loadObject(readFileSync('list.bpf.o'));
 * object.programs.map(({ name }) => name); // [ 'fill', 'sum' ]
 * ```
 */
export function loadObject(bytes: Uint8Array): BpfObject {
  if (Object.prototype.toString.call(bytes) !== '[object Uint8Array]') {
    throw new VmError('EINVAL', 'the object is no Uint8Array', { advice: 'pass the bytes of the file' });
  }
  const elf = new ElfFile(bytes);
  const codeSections = elf.sections.filter(isCode);
  const dataSections = elf.sections.filter(isData);
  const btf = readBtf(elf);
  const maps = readMaps(elf, btf);
  const targets = new Targets(elf, codeSections, dataSections, maps);
  const functions = functionsOf(elf, codeSections);
  const lineSection = elf.section('.BTF.ext');
  return {
    license: readLicense(elf),
    programs: functions.filter(({ isProgram }) => isProgram),
    functions,
    code: codeSections.map((section) => readCode(elf, section, targets)),
    data: dataSections.map((section) => readData(elf, section, targets)),
    variables: targets.variables(),
    maps,
    externs: targets.externs,
    btf,
    lines: btf === null || lineSection === undefined ? [] : readLines(elf.readerOf(lineSection), btf.texts),
  };
}

function isCode({ type, flags, size }: ElfSection): boolean {
  return type === SHT_PROGBITS && (flags & SHF_EXECINSTR) !== 0 && size > 0;
}

function isData({ name, type, flags, size }: ElfSection): boolean {
  if ((flags & SHF_ALLOC) === 0 || (flags & SHF_EXECINSTR) !== 0 || size === 0) return false;
  if (type === SHT_NOBITS) return name === '.bss' || name.startsWith('.bss.');
  return type === SHT_PROGBITS && (name === ARENA_SECTION || /^\.(?:data|rodata)(?:\.|$)/.test(name));
}

function readBtf(elf: ElfFile): Btf | null {
  const section = elf.section('.BTF');
  return section === undefined ? null : new Btf(elf.readerOf(section));
}

function readMaps(elf: ElfFile, btf: Btf | null): ReturnType<typeof mapDefinitions> {
  if (elf.section('.maps') === undefined) return [];
  if (btf !== null) return mapDefinitions(btf);
  throw new VmError('EINVAL', 'the section .maps needs the section .BTF, which says what the maps are', {
    advice: 'compile with -g',
  });
}

function readLicense(elf: ElfFile): string | null {
  const section = elf.section('license');
  return section === undefined ? null : elf.readerOf(section).text(0);
}

function readCode(elf: ElfFile, section: ElfSection, targets: Targets): CodeSection {
  if (section.size % 8 !== 0) {
    const why = `${section.size} bytes are no whole number of instructions of 8`;
    throw elf.readerOf(section).refuse(0, why);
  }
  return { name: section.name, bytes: elf.bytesOf(section), relocations: targets.relocationsOf(section) };
}

function readData(elf: ElfFile, section: ElfSection, targets: Targets): DataSection {
  const isArena = section.name === ARENA_SECTION;
  return {
    name: section.name,
    bytes: elf.bytesOf(section),
    size: section.size,
    isWritable: (section.flags & SHF_WRITE) !== 0 && !section.name.startsWith('.rodata'),
    isArena,
    relocations: targets.relocationsOf(section),
  };
}
