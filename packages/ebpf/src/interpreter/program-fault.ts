import type { SourceLine } from '../btf/line-info.js';

/**
 * Why a program ended:
 *
 * - `instruction`: no instruction of the ISA, a jump out of the function, a call of nothing, the end of a function without an exit
 * - `register`: a register that nothing was written to
 * - `access`: an address that belongs to nothing, bytes beyond the end, a write to what is read-only, an address that is not aligned
 * - `frames`: more than 8 calls within each other
 * - `budget`: all instructions that the run may take
 */
export type ProgramFaultKind = 'instruction' | 'register' | 'access' | 'frames' | 'budget';

/** Where a program is. */
export interface ProgramPlace {
  /** The function. */
  readonly function: string;
  readonly section: string;
  /** The instruction, counted from the start of the section as `llvm-objdump` does. */
  readonly pc: number;
  /** The instruction as text. */
  readonly instruction: string;
  /** The line of the source; `null` for an object without `.BTF.ext`. */
  readonly source: SourceLine | null;
}

/**
 * The end of a program that Linux's verifier would have refused, or that used up its budget. It is the program's mistake, no error of the
 * caller's. So it is no `VmError`.
 *
 * What the program stored before stays stored.
 */
export class ProgramFault extends Error {
  override readonly name = 'ProgramFault';
  readonly kind: ProgramFaultKind;
  readonly place: ProgramPlace;

  /** @internal */
  constructor(kind: ProgramFaultKind, why: string, place: ProgramPlace) {
    super(`${why}\n  ${placeText(place)}`);
    this.kind = kind;
    this.place = place;
  }
}

/** A place in one or two lines. */
function placeText({ function: name, section, pc, instruction, source }: ProgramPlace): string {
  const line = source === null ? '' : `\n  ${source.file}:${source.line}: ${source.text.trim()}`;
  return `at instruction ${pc} of section ${section}, in ${name}: ${instruction}${line}`;
}
