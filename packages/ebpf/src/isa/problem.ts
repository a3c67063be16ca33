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
  CAST_TO_KERNEL,
  CAST_TO_USER,
  CMPXCHG,
  classOf,
  DIV,
  END,
  EXIT,
  FETCH,
  FRAME_POINTER,
  JA,
  JCOND,
  JMP,
  JMP32,
  JSLE,
  LD,
  LDIMM64,
  LDX,
  LOAD_ACQUIRE,
  MEM,
  MEMSX,
  MOD,
  MOV,
  modeOf,
  NEG,
  operationOf,
  PSEUDO_KFUNC_CALL,
  SIGNED,
  ST,
  STORE_RELEASE,
  STX,
  sizeOf,
  X,
  XCHG,
} from './codes.js';
import type { Instructions } from './instructions.js';

/** Atomic operations that change what is there. */
const ATOMICS: ReadonlySet<number> = /* @__PURE__ */ new Set([
  ...[ATOMIC_ADD, ATOMIC_OR, ATOMIC_AND, ATOMIC_XOR, XCHG, CMPXCHG],
  ...[ATOMIC_ADD | FETCH, ATOMIC_OR | FETCH, ATOMIC_AND | FETCH, ATOMIC_XOR | FETCH],
]);

/**
 * What is wrong with an instruction by itself: a code that is none, a reserved field that is not 0, a register that is none, a write to
 * the frame pointer.
 *
 * @returns `null` for an instruction of the ISA.
 */
export function problemOf(code: Instructions, i: number): string | null {
  const opcode = code.opcode(i);
  const kind = classOf(opcode);
  if (code.dst(i) > FRAME_POINTER) return `there is no register r${code.dst(i)}`;
  if (kind === ALU || kind === ALU64) return problemOfArithmetic(code, i, opcode);
  if (kind === JMP || kind === JMP32) return problemOfJump(code, i, opcode);
  return kind === LD ? problemOfWide(code, i, opcode) : problemOfAccess(code, i, opcode);
}

const UNKNOWN = 'there is no such opcode';

function problemOfArithmetic(code: Instructions, i: number, opcode: number): string | null {
  const [operation, isWide, isRegister] = [
    operationOf(opcode),
    classOf(opcode) === ALU64,
    (opcode & X) !== 0,
  ];
  const [offset, imm, src] = [code.offset(i), code.imm(i), code.src(i)];
  if (operation > END) return UNKNOWN;
  if (code.dst(i) === FRAME_POINTER) return 'the frame pointer is read-only';
  if (operation === END) {
    if (isWide && isRegister) return UNKNOWN;
    if (src !== 0 || offset !== 0) return 'reserved fields are not 0';
    return imm === 16 || imm === 32 || imm === 64 ? null : `the width is ${imm}, expected 16, 32 or 64`;
  }
  if (operation === NEG) {
    if (isRegister) return UNKNOWN;
    return src !== 0 || offset !== 0 || imm !== 0 ? 'reserved fields are not 0' : null;
  }
  if (isRegister && src > FRAME_POINTER) return `there is no register r${src}`;
  if (!isRegister && src !== 0) return 'the source register is not 0';
  if (operation === MOV && isRegister && isWide && offset === ADDR_SPACE_CAST) {
    return imm === CAST_TO_KERNEL || imm === CAST_TO_USER
      ? null
      : `there is no cast ${imm}, expected 1 or 0x10000`;
  }
  if (isRegister && imm !== 0) return 'the immediate is not 0';
  if (offset === 0) return null;
  if ((operation === DIV || operation === MOD) && offset === SIGNED) return null;
  const isSigned = offset === 8 || offset === 16 || (offset === 32 && isWide);
  return operation === MOV && isRegister && isSigned
    ? null
    : `the offset is ${offset}, which means nothing here`;
}

function problemOfJump(code: Instructions, i: number, opcode: number): string | null {
  const [operation, isWide, isRegister] = [operationOf(opcode), classOf(opcode) === JMP, (opcode & X) !== 0];
  const [dst, src, offset, imm] = [code.dst(i), code.src(i), code.offset(i), code.imm(i)];
  if (operation === JA) {
    if (isRegister) return UNKNOWN;
    if (dst !== 0 || src !== 0 || (isWide ? imm : offset) !== 0) return 'reserved fields are not 0';
    return null;
  }
  if (operation === CALL) {
    if (!isWide) return UNKNOWN;
    if (isRegister) return 'calls by register are refused';
    if (dst !== 0 || src > PSEUDO_KFUNC_CALL || offset !== 0) return 'reserved fields are not 0';
    return null;
  }
  if (operation === EXIT) {
    if (!isWide || isRegister) return UNKNOWN;
    return dst !== 0 || src !== 0 || offset !== 0 || imm !== 0 ? 'reserved fields are not 0' : null;
  }
  if (operation === JCOND) {
    if (!isWide || isRegister) return UNKNOWN;
    return dst !== 0 || src !== 0 || imm !== 0 ? 'reserved fields are not 0' : null;
  }
  if (operation > JSLE) return UNKNOWN;
  if (isRegister && src > FRAME_POINTER) return `there is no register r${src}`;
  if (isRegister && imm !== 0) return 'the immediate is not 0';
  return !isRegister && src !== 0 ? 'the source register is not 0' : null;
}

function problemOfWide(code: Instructions, i: number, opcode: number): string | null {
  if (opcode !== LDIMM64) return 'loads of packets are refused, or there is no such opcode';
  if (code.dst(i) === FRAME_POINTER) return 'the frame pointer is read-only';
  if (i + 1 >= code.count) return 'the second half is missing';
  if (code.src(i) !== 0) return 'it refers to something that no relocation names';
  const isRest = code.opcode(i + 1) === 0 && code.dst(i + 1) === 0 && code.src(i + 1) === 0;
  return code.offset(i) !== 0 || !isRest || code.offset(i + 1) !== 0 ? 'reserved fields are not 0' : null;
}

function problemOfAccess(code: Instructions, i: number, opcode: number): string | null {
  const [kind, mode, size] = [classOf(opcode), modeOf(opcode), sizeOf(opcode)];
  const [src, imm] = [code.src(i), code.imm(i)];
  if (src > FRAME_POINTER) return `there is no register r${src}`;
  if (kind === LDX) {
    if (mode !== MEM && !(mode === MEMSX && size < 8)) return UNKNOWN;
    if (code.dst(i) === FRAME_POINTER) return 'the frame pointer is read-only';
    return imm === 0 ? null : 'the immediate is not 0';
  }
  if (mode === MEM) {
    if (kind === ST) return src === 0 ? null : 'the source register is not 0';
    return imm === 0 ? null : 'the immediate is not 0';
  }
  if (kind !== STX || mode !== ATOMIC) return UNKNOWN;
  if (imm === LOAD_ACQUIRE) return code.dst(i) === FRAME_POINTER ? 'the frame pointer is read-only' : null;
  if (imm === STORE_RELEASE) return null;
  if (!ATOMICS.has(imm)) return `there is no atomic operation ${imm}`;
  if ((imm & FETCH) !== 0 && imm !== CMPXCHG && src === FRAME_POINTER)
    return 'the frame pointer is read-only';
  return size >= 4 ? null : `an atomic operation of ${size} bytes is refused`;
}
