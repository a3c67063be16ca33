import type { Raw } from './code.js';

// A model of the ISA on bigints, written from RFC 9669. It shares no code with the interpreter.

const s = (bits: number, x: bigint): bigint => BigInt.asIntN(bits, x);
const u = (bits: number, x: bigint): bigint => BigInt.asUintN(bits, x);

/** An instruction without control flow and memory: what it makes of the registers. */
export function step(registers: bigint[], raw: Raw): void {
  const { op, dst = 0, src = 0, imm = 0 } = raw;
  const bits = (op & 7) === 7 ? 64 : 32;
  const old = registers[dst] as bigint;
  if (op >> 4 === 13) {
    const isSwap = bits === 64 || (op & 8) !== 0;
    registers[dst] = isSwap ? swapped(u(imm, old), imm) : u(imm, old);
    return;
  }
  const operand = u(bits, (op & 8) !== 0 ? (registers[src] as bigint) : BigInt(imm));
  registers[dst] = u(bits, result(raw, bits, u(bits, old), operand));
}

function result({ op, off = 0 }: Raw, bits: number, x: bigint, y: bigint): bigint {
  const shift = y & BigInt(bits - 1);
  switch (op & 0xf0) {
    case 0x00:
      return x + y;
    case 0x10:
      return x - y;
    case 0x20:
      return x * y;
    case 0x30:
      if (y === 0n) return 0n;
      return off === 1 ? s(bits, x) / s(bits, y) : x / y;
    case 0x40:
      return x | y;
    case 0x50:
      return x & y;
    case 0x60:
      return x << shift;
    case 0x70:
      return x >> shift;
    case 0x80:
      return -x;
    case 0x90:
      if (y === 0n) return x;
      return off === 1 ? s(bits, x) % s(bits, y) : x % y;
    case 0xa0:
      return x ^ y;
    case 0xb0:
      return off === 0 ? y : s(off, y);
    case 0xc0:
      return s(bits, x) >> shift;
    default:
      throw new Error(`no instruction ${op}`);
  }
}

function swapped(value: bigint, bits: number): bigint {
  const digits = value.toString(16).padStart(bits / 4, '0');
  const bytes = digits.match(/../g) ?? [];
  return BigInt(`0x${bytes.reverse().join('')}`);
}

/** Whether a comparison holds. */
export function holds(op: number, dst: bigint, src: bigint): boolean {
  const bits = (op & 7) === 5 ? 64 : 32;
  const [x, y] = [u(bits, dst), u(bits, src)];
  const [sx, sy] = [s(bits, x), s(bits, y)];
  const answers: Record<number, boolean> = {
    16: x === y,
    32: x > y,
    48: x >= y,
    64: (x & y) !== 0n,
    80: x !== y,
    96: sx > sy,
    112: sx >= sy,
    160: x < y,
    176: x <= y,
    192: sx < sy,
    208: sx <= sy,
  };
  const answer = answers[op & 0xf0];
  if (answer === undefined) throw new Error(`no comparison ${op}`);
  return answer;
}

/** What an atomic operation leaves in memory. */
export function atomic(imm: number, old: bigint, value: bigint, r0: bigint, bits: number): bigint {
  const made: Record<number, bigint> = {
    0: old + value,
    64: old | value,
    80: old & value,
    160: old ^ value,
    224: value,
    240: u(bits, r0) === old ? value : old,
  };
  return u(bits, made[imm & 0xf0] as bigint);
}
