import {
  ALU,
  ALU64,
  ATOMIC,
  CALL,
  CMPXCHG,
  classOf,
  END,
  EXIT,
  FETCH,
  JA,
  JCOND,
  JMP,
  LD,
  LDX,
  LOAD_ACQUIRE,
  MOV,
  modeOf,
  NEG,
  operationOf,
  ST,
  STORE_RELEASE,
  STX,
  X,
} from './codes.js';
import type { Instructions } from './instructions.js';

/** The registers of arguments, r1 to r5, which a call overwrites. */
export const ARGUMENTS = 0b11_1110;

/** The registers that an instruction reads, as a mask: bit n for register n. Calls are not known here. */
export function readsOf(code: Instructions, i: number): number {
  const opcode = code.opcode(i);
  const [dst, src, kind] = [1 << code.dst(i), 1 << code.src(i), classOf(opcode)];
  const operand = (opcode & X) !== 0 ? src : 0;
  if (kind === LD) return 0;
  if (kind === LDX) return src;
  if (kind === ST) return dst;
  if (kind === ALU || kind === ALU64) {
    const operation = operationOf(opcode);
    if (operation === END || operation === NEG) return dst;
    return operation === MOV ? operand : dst | operand;
  }
  if (kind === STX) {
    if (modeOf(opcode) !== ATOMIC) return dst | src;
    if (code.imm(i) === LOAD_ACQUIRE) return src;
    return code.imm(i) === CMPXCHG ? dst | src | 1 : dst | src;
  }
  const operation = operationOf(opcode);
  if (operation === JA || operation === CALL || operation === JCOND) return 0;
  if (operation === EXIT) return kind === JMP ? 1 : 0;
  return dst | operand;
}

/** The registers that an instruction writes, as a mask. Calls are not known here. */
export function writesOf(code: Instructions, i: number): number {
  const opcode = code.opcode(i);
  const kind = classOf(opcode);
  if (kind === LD || kind === LDX || kind === ALU || kind === ALU64) return 1 << code.dst(i);
  if (kind !== STX || modeOf(opcode) !== ATOMIC) return 0;
  const imm = code.imm(i);
  if (imm === LOAD_ACQUIRE) return 1 << code.dst(i);
  if (imm === STORE_RELEASE) return 0;
  if (imm === CMPXCHG) return 1;
  return (imm & FETCH) !== 0 ? 1 << code.src(i) : 0;
}
