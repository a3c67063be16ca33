import { ALU, ALU64, type Instructions, JMP, LD, LDX, ST, X } from './instructions.js';
import { ATOMIC, LOAD_ACQUIRE, STORE_RELEASE } from './problem.js';

/** The registers of arguments, r1 to r5, which a call overwrites. */
export const ARGUMENTS = 0b11_1110;

/** The registers that an instruction reads, as a mask: bit n for register n. Calls are not known here. */
export function readsOf(code: Instructions, i: number): number {
  const opcode = code.opcode(i);
  const [dst, src, kind] = [1 << code.dst(i), 1 << code.src(i), opcode & 7];
  const operand = (opcode & X) !== 0 ? src : 0;
  if (kind === LD) return 0;
  if (kind === LDX) return src;
  if (kind === ST) return dst;
  if (kind === ALU || kind === ALU64) {
    const operation = opcode >> 4;
    if (operation === 13 || operation === 8) return dst;
    return operation === 11 ? operand : dst | operand;
  }
  if (kind === 3) {
    if ((opcode & 0xe0) !== ATOMIC) return dst | src;
    if (code.imm(i) === LOAD_ACQUIRE) return src;
    return code.imm(i) === 0xf1 ? dst | src | 1 : dst | src;
  }
  const operation = opcode >> 4;
  if (operation === 0 || operation === 8 || operation === 14) return 0;
  if (operation === 9) return kind === JMP ? 1 : 0;
  return dst | operand;
}

/** The registers that an instruction writes, as a mask. Calls are not known here. */
export function writesOf(code: Instructions, i: number): number {
  const opcode = code.opcode(i);
  const kind = opcode & 7;
  if (kind === LD || kind === LDX || kind === ALU || kind === ALU64) return 1 << code.dst(i);
  if (kind !== 3 || (opcode & 0xe0) !== ATOMIC) return 0;
  const imm = code.imm(i);
  if (imm === LOAD_ACQUIRE) return 1 << code.dst(i);
  if (imm === STORE_RELEASE) return 0;
  if (imm === 0xf1) return 1;
  return (imm & 1) !== 0 ? 1 << code.src(i) : 0;
}
