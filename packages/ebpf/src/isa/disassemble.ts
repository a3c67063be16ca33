import { joinWords } from '@vmarea/core';
import { ALU, ALU64, type Instructions, JMP, JMP32, LDIMM64, LDX, ST, X } from './instructions.js';
import { ATOMIC, LOAD_ACQUIRE, MEMSX, problemOf, STORE_RELEASE, sizeOf } from './problem.js';

const OPERATORS = ['+', '-', '*', '/', '|', '&', '<<', '>>', '', '%', '^', '', 's>>'] as const;
const CONDITIONS = ['', '==', '>', '>=', '&', '!=', 's>', 's>=', '', '', '<', '<=', 's<', 's<='] as const;
const FETCHES: ReadonlyMap<number, string> = /* @__PURE__ */ new Map([
  ...([
    [0x00, 'add'],
    [0x40, 'or'],
    [0x50, 'and'],
    [0xa0, 'xor'],
  ] as const),
]);
const SIGNS: ReadonlyMap<number, string> = /* @__PURE__ */ new Map([
  ...([
    [0x00, '+'],
    [0x40, '|'],
    [0x50, '&'],
    [0xa0, '^'],
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
  const kind = opcode & 7;
  if (kind === ALU || kind === ALU64) return arithmetic(code, i, opcode);
  if (kind === JMP || kind === JMP32) return jump(code, i, opcode);
  if (opcode === LDIMM64) return wide(code, i);
  return (opcode & 0xe0) === ATOMIC ? atomic(code, i, opcode) : access(code, i, opcode);
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
  const letter = (opcode & 7) === ALU64 ? 'r' : 'w';
  const dst = `${letter}${code.dst(i)}`;
  const [operation, offset, imm] = [opcode >> 4, code.offset(i), code.imm(i)];
  const register = `${letter}${code.src(i)}`;
  const operand = (opcode & X) !== 0 ? register : number(imm);
  if (operation === 8) return `${dst} = -${dst}`;
  if (operation === 13) {
    const name = letter === 'r' ? 'bswap' : (opcode & X) !== 0 ? 'be' : 'le';
    return `r${code.dst(i)} = ${name}${imm} r${code.dst(i)}`;
  }
  if (operation === 11) {
    if (offset === 0) return `${dst} = ${operand}`;
    if (offset !== 1) return `${dst} = (s${offset})${register}`;
    return `${dst} = addr_space_cast(${register}, ${number(imm >>> 16)}, ${number(imm & 0xffff)})`;
  }
  return `${dst} ${offset === 1 ? 's' : ''}${OPERATORS[operation]}= ${operand}`;
}

function jump(code: Instructions, i: number, opcode: number): string {
  const isWide = (opcode & 7) === JMP;
  const [operation, offset, imm] = [opcode >> 4, code.offset(i), code.imm(i)];
  if (operation === 0) return isWide ? `goto ${signed(offset)}` : `gotol ${signed(imm)}`;
  if (operation === 8) return `call ${number(imm)}`;
  if (operation === 9) return 'exit';
  if (operation === 14) return `may_goto ${signed(offset)}`;
  const letter = isWide ? 'r' : 'w';
  const operand = (opcode & X) !== 0 ? `${letter}${code.src(i)}` : number(imm);
  return `if ${letter}${code.dst(i)} ${CONDITIONS[operation]} ${operand} goto ${signed(offset)}`;
}

function wide(code: Instructions, i: number): string {
  if (i + 1 >= code.count) return bytesOf(code, i);
  const value = joinWords(code.imm(i), code.imm(i + 1));
  return `r${code.dst(i)} = 0x${value.toString(16)} ll`;
}

/** `*(u64 *)(r10 - 0x8)`. */
function place(register: number, offset: number, type: string): string {
  const sign = offset < 0 ? '-' : '+';
  return `*(${type} *)(r${register} ${sign} 0x${Math.abs(offset).toString(16)})`;
}

function access(code: Instructions, i: number, opcode: number): string {
  const [kind, bits] = [opcode & 7, sizeOf(opcode) * 8];
  const [dst, src, offset] = [code.dst(i), code.src(i), code.offset(i)];
  const letter = bits === 64 ? 'r' : 'w';
  if (kind === LDX) {
    if ((opcode & 0xe0) === MEMSX) return `r${dst} = ${place(src, offset, `s${bits}`)}`;
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
  if (imm === 0xe1) return `${letter}${src} = xchg${width}(${inner}, ${letter}${src})`;
  if (imm === 0xf1) return `${letter}0 = cmpxchg${width}(${inner}, ${letter}0, ${letter}${src})`;
  if ((imm & 1) === 0) return `lock ${at} ${SIGNS.get(imm)}= ${letter}${src}`;
  return `${letter}${src} = atomic_fetch_${FETCHES.get(imm & ~1)}((u${bits} *)(${inner}), ${letter}${src})`;
}

function offsetText(offset: number): string {
  return offset < 0 ? `- 0x${(-offset).toString(16)}` : `+ 0x${offset.toString(16)}`;
}
