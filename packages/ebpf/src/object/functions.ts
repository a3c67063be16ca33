import { VmError } from '@vmarea/core';
import { type ElfFile, type ElfSection, STB_LOCAL, STT_FUNC } from '../elf/elf-file.js';
import { shownSection } from '../elf/shown-section.js';
import type { BpfFunction } from './bpf-object.js';

/** The section of functions that programs call. What is in others are programs (libbpf's rule). */
const SUBPROGRAMS = '.text';

/**
 * The functions of sections, by section and place. A second name of the same instructions is left out.
 *
 * @throws VmError `EINVAL` for one that leaves its section, is no whole number of instructions, or overlaps another one.
 */
export function functionsOf(elf: ElfFile, sections: readonly ElfSection[]): BpfFunction[] {
  const indexes = new Map(sections.map(({ index }, i) => [index, i]));
  const found: BpfFunction[] = [];
  for (const { name, type, binding, section, value, size } of elf.symbols) {
    const index = indexes.get(section);
    if (type !== STT_FUNC || index === undefined || size === 0) continue;
    const code = sections[index] as ElfSection;
    if (value % 8 !== 0 || size % 8 !== 0 || value + size > code.size) {
      throw new VmError(
        'EINVAL',
        `the function ${name} has bytes ${value} to ${value + size} of the ${shownSection(code.name)}, which has ${code.size}`,
        { advice: 'instructions have 8 bytes' },
      );
    }
    const isProgram = binding !== STB_LOCAL && code.name !== SUBPROGRAMS;
    found.push({ name, section: index, first: value / 8, count: size / 8, isProgram });
  }
  found.sort((a, b) => a.section - b.section || a.first - b.first);
  return found.filter((one, i) => {
    const before = found[i - 1];
    if (before === undefined || before.section !== one.section) return true;
    if (before.first === one.first && before.count === one.count) return false;
    if (before.first + before.count <= one.first) return true;
    throw new VmError('EINVAL', `the functions ${before.name} and ${one.name} overlap`);
  });
}
