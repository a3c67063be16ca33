import { VmError } from '@vmarea/core';
import type { MapDefinition } from '../btf/map-definitions.js';
import {
  type ElfFile,
  type ElfRelocation,
  type ElfSection,
  type ElfSymbol,
  SHN_UNDEF,
  STB_WEAK,
  STT_SECTION,
} from '../elf/elf-file.js';
import { shownSection } from '../elf/shown-section.js';
import type { DataSymbol, Extern, Relocation, Target } from './bpf-object.js';

/** Turns symbols of the file into what they refer to: a map, a variable, a function, something of the kernel. */
export class Targets {
  readonly externs: Extern[] = [];
  readonly #elf: ElfFile;
  readonly #code: ReadonlyMap<number, number>;
  readonly #data: ReadonlyMap<number, number>;
  readonly #maps: ReadonlyMap<string, number>;
  readonly #mapSection: number;
  readonly #externIndexes = new Map<string, number>();

  constructor(
    elf: ElfFile,
    code: readonly ElfSection[],
    data: readonly ElfSection[],
    maps: readonly MapDefinition[],
  ) {
    this.#elf = elf;
    this.#code = new Map(code.map(({ index }, i) => [index, i]));
    this.#data = new Map(data.map(({ index }, i) => [index, i]));
    this.#maps = new Map(maps.map(({ name }, i) => [name, i]));
    this.#mapSection = elf.section('.maps')?.index ?? -1;
  }

  /** The relocations of a section. @throws VmError `EINVAL` for one that refers to something else. */
  relocationsOf(section: ElfSection): Relocation[] {
    return this.#elf.relocationsOf(section).map((relocation) => ({
      offset: relocation.offset,
      type: relocation.type,
      target: this.#targetOf(relocation, section),
    }));
  }

  /** The named variables of the data sections. */
  variables(): DataSymbol[] {
    return this.#elf.symbols.flatMap(({ name, section, value, size, type }) => {
      const index = this.#data.get(section);
      if (index === undefined || type === STT_SECTION || name === '' || size === 0) return [];
      return [{ name, section: index, offset: value, size }];
    });
  }

  #targetOf({ offset, symbol }: ElfRelocation, section: ElfSection): Target {
    const place = `byte ${offset} of the ${shownSection(section.name)}`;
    if (symbol.section === SHN_UNDEF) return { kind: 'extern', index: this.#externOf(symbol, place) };
    const home = this.#elf.sections[symbol.section];
    if (home !== undefined && symbol.value > home.size) {
      const where = `byte ${symbol.value} of the ${shownSection(home.name)}`;
      throw new VmError('EINVAL', `${place} refers to ${where}, which has ${home.size}`);
    }
    const code = this.#code.get(symbol.section);
    if (code !== undefined && symbol.value % 8 !== 0) {
      throw new VmError('EINVAL', `${place} refers to the middle of an instruction, byte ${symbol.value}`);
    }
    if (code !== undefined) return { kind: 'code', index: code, offset: symbol.value };
    const data = this.#data.get(symbol.section);
    if (data !== undefined) return { kind: 'data', index: data, offset: symbol.value };
    if (symbol.section === this.#mapSection) {
      const map = this.#maps.get(symbol.name);
      if (map !== undefined) return { kind: 'map', index: map };
      throw new VmError('EINVAL', `${place} refers to the map ${symbol.name}, which BTF does not define`);
    }
    const where = home === undefined ? `section ${symbol.section}, which is none` : shownSection(home.name);
    throw new VmError('EINVAL', `${place} refers to ${symbol.name} in ${where}`, {
      advice: 'it can refer to code, .maps, .bss, .data, .rodata, .addr_space.1 and externs',
    });
  }

  #externOf({ name, binding }: ElfSymbol, place: string): number {
    if (name === '') throw new VmError('EINVAL', `${place} refers to a symbol without a name`);
    const known = this.#externIndexes.get(name);
    if (known !== undefined) return known;
    const index = this.externs.length;
    this.externs.push({ name, isWeak: binding === STB_WEAK });
    this.#externIndexes.set(name, index);
    return index;
  }
}
