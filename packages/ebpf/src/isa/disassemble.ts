import { joinWords } from '@vmarea/core';
import {
  ADDR_SPACE_CAST,
  ALU,
  ALU64,
  ATOMIC,
  ATOMIC_ADD,
  ATOMIC_AND,
  ATOMIC_OR,
  ATOMIC_XOR,
  CALL,
  CMPXCHG,
  classOf,
  END,
  EXIT,
  FETCH,
  JA,
  JCOND,
  JMP,
  JMP32,
  LDIMM64,
  LDX,
  LOAD_ACQUIRE,
  MEMSX,
  MOV,
  modeOf,
  NEG,
  operationOf,
  SIGNED,
  ST,
  STORE_RELEASE,
  sizeOf,
  X,
  XCHG,
} from './codes.js';
import type { Instructions } from './instructions.js';
import { problemOf } from './problem.js';

// By the codes of the ISA.

const OPERATORS = ['+', '-', '*', '/', '|', '&', '<<', '>>', '', '%', '^', '', 's>>'] as const;
const CONDITIONS = ['', '==', '>', '>=', '&', '!=', 's>', 's>=', '', '', '<', '<=', 's<', 's<='] as const;
const FETCHES: ReadonlyMap<number, string> = /* @__PURE__ */ new Map([
  ...([
    [ATOMIC_ADD, 'add'],
    [ATOMIC_OR, 'or'],
    [ATOMIC_AND, 'and'],
    [ATOMIC_XOR, 'xor'],
  ] as const),
]);
const SIGNS: ReadonlyMap<number, string> = /* @__PURE__ */ new Map([
  ...([
    [ATOMIC_ADD, '+'],
    [ATOMIC_OR, '|'],
    [ATOMIC_AND, '&'],
    [ATOMIC_XOR, '^'],
  ] as const),
]);

/**
 * One instruction as text, as `llvm-objdump` writes it: `r1 += r2`, `w3 = *(u32 *)(r1 + 0x8)`.
 *
 * @returns for what is no instruction, its bytes.
 */
export function disassemble(code: Instructions, i: number): string {
  const opcode = code.opcode(i);
  if (opcode !== LDIMM64 && problemOf(code, i) !== null) return bytesOf(code, i);
  const kind = classOf(opcode);
  if (kind === ALU || kind === ALU64) return arithmetic(code, i, opcode);
  if (kind === JMP || kind === JMP32) return jump(code, i, opcode);
  if (opcode === LDIMM64) return wide(code, i);
  return modeOf(opcode) === ATOMIC ? atomic(code, i, opcode) : access(code, i, opcode);
}

function bytesOf(code: Instructions, i: number): string {
  const imm = code.imm(i) >>> 0;
  return `<opcode 0x${code.opcode(i).toString(16)}, dst ${code.dst(i)}, src ${code.src(i)}, offset ${code.offset(i)}, imm 0x${imm.toString(16)}>`;
}

/** A number with its sign: `0x8`, `-0x8`. */
function number(value: number): string {
  return value < 0 ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
}

/** A number behind something: `+0x8`, `-0x8`. */
function signed(value: number): string {
  return value < 0 ? number(value) : `+${number(value)}`;
}

function arithmetic(code: Instructions, i: number, opcode: number): string {
  const letter = classOf(opcode) === ALU64 ? 'r' : 'w';
  const dst = `${letter}${code.dst(i)}`;
  const [operation, offset, imm] = [operationOf(opcode), code.offset(i), code.imm(i)];
  const register = `${letter}${code.src(i)}`;
  const operand = (opcode & X) !== 0 ? register : number(imm);
  if (operation === NEG) return `${dst} = -${dst}`;
  if (operation === END) {
    const name = letter === 'r' ? 'bswap' : (opcode & X) !== 0 ? 'be' : 'le';
    return `r${code.dst(i)} = ${name}${imm} r${code.dst(i)}`;
  }
  if (operation === MOV) {
    if (offset === 0) return `${dst} = ${operand}`;
    if (offset !== ADDR_SPACE_CAST) return `${dst} = (s${offset})${register}`;
    return `${dst} = addr_space_cast(${register}, ${number(imm >>> 16)}, ${number(imm & 0xffff)})`;
  }
  return `${dst} ${offset === SIGNED ? 's' : ''}${OPERATORS[operation]}= ${operand}`;
}

function jump(code: Instructions, i: number, opcode: number): string {
  const isWide = classOf(opcode) === JMP;
  const [operation, offset, imm] = [operationOf(opcode), code.offset(i), code.imm(i)];
  if (operation === JA) return isWide ? `goto ${signed(offset)}` : `gotol ${signed(imm)}`;
  if (operation === CALL) return `call ${number(imm)}`;
  if (operation === EXIT) return 'exit';
  if (operation === JCOND) return `may_goto ${signed(offset)}`;
  const letter = isWide ? 'r' : 'w';
  const operand = (opcode & X) !== 0 ? `${letter}${code.src(i)}` : number(imm);
  return `if ${letter}${code.dst(i)} ${CONDITIONS[operation]} ${operand} goto ${signed(offset)}`;
}

function wide(code: Instructions, i: number): string {
  if (i + 1 >= code.count) return bytesOf(code, i);
  const value = BigInt.asIntN(64, joinWords(code.imm(i), code.imm(i + 1)));
  const text = value < 0n ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
  return `r${code.dst(i)} = ${text} ll`;
}

/** `*(u64 *)(r10 - 0x8)`. */
function place(register: number, offset: number, type: string): string {
  const sign = offset < 0 ? '-' : '+';
  return `*(${type} *)(r${register} ${sign} 0x${Math.abs(offset).toString(16)})`;
}

function access(code: Instructions, i: number, opcode: number): string {
  const [kind, bits] = [classOf(opcode), sizeOf(opcode) * 8];
  const [dst, src, offset] = [code.dst(i), code.src(i), code.offset(i)];
  const letter = bits === 64 ? 'r' : 'w';
  if (kind === LDX) {
    if (modeOf(opcode) === MEMSX) return `r${dst} = ${place(src, offset, `s${bits}`)}`;
    return `${letter}${dst} = ${place(src, offset, `u${bits}`)}`;
  }
  const at = place(dst, offset, `u${bits}`);
  return kind === ST ? `${at} = ${number(code.imm(i))}` : `${at} = ${letter}${src}`;
}

function atomic(code: Instructions, i: number, opcode: number): string {
  const [dst, src, offset, imm] = [code.dst(i), code.src(i), code.offset(i), code.imm(i)];
  const bits = sizeOf(opcode) * 8;
  const letter = bits === 64 ? 'r' : 'w';
  const at = place(dst, offset, `u${bits}`);
  if (imm === LOAD_ACQUIRE)
    return `${letter}${dst} = load_acquire((u${bits} *)(r${src} ${offsetText(offset)}))`;
  if (imm === STORE_RELEASE)
    return `store_release((u${bits} *)(r${dst} ${offsetText(offset)}), ${letter}${src})`;
  const width = bits === 64 ? '_64' : '32_32';
  const inner = `r${dst} ${offsetText(offset)}`;
  if (imm === XCHG) return `${letter}${src} = xchg${width}(${inner}, ${letter}${src})`;
  if (imm === CMPXCHG) return `${letter}0 = cmpxchg${width}(${inner}, ${letter}0, ${letter}${src})`;
  if ((imm & FETCH) === 0) return `lock ${at} ${SIGNS.get(imm)}= ${letter}${src}`;
  return `${letter}${src} = atomic_fetch_${FETCHES.get(imm & ~FETCH)}((u${bits} *)(${inner}), ${letter}${src})`;
}

function offsetText(offset: number): string {
  return offset < 0 ? `- 0x${(-offset).toString(16)}` : `+ 0x${offset.toString(16)}`;
}
