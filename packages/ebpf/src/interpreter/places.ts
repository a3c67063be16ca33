import { lineOf } from '../btf/line-info.js';
import { BtfTexts } from '../btf/texts.js';
import { disassemble } from '../isa/disassemble.js';
import { Instructions } from '../isa/instructions.js';
import type { LinkedProgram } from '../link/linked-program.js';
import type { ProgramPlace } from './program-fault.js';

/** Says where an instruction is: for messages, so it is slow. */
export class Places {
  readonly #program: LinkedProgram;

  constructor(program: LinkedProgram) {
    this.#program = program;
  }

  /** @param instruction - counted over all sections. */
  of(instruction: number): ProgramPlace {
    const { functions, code, lines, texts } = this.#program;
    const home = functions.find(({ first, count }) => instruction >= first && instruction < first + count);
    const section = home?.section ?? '';
    const pc = instruction - (home?.sectionStart ?? 0);
    const table = lines.find((one) => one.section === section);
    return {
      function: home?.name ?? '',
      section,
      pc,
      instruction: disassemble(new Instructions(code), instruction),
      source: table === undefined || texts === null ? null : lineOf(table, pc, new BtfTexts(texts)),
    };
  }
}
