/** One instruction: 8 bytes, as RFC 9669 has them. */
export interface Raw {
  readonly op: number;
  readonly dst?: number;
  readonly src?: number;
  readonly off?: number;
  readonly imm?: number;
}

/** Puts instructions into bytes. */
export function codeOf(...list: readonly Raw[]): Uint8Array {
  const bytes = new Uint8Array(list.length * 8);
  const view = new DataView(bytes.buffer);
  list.forEach(({ op, dst = 0, src = 0, off = 0, imm = 0 }, i) => {
    view.setUint8(i * 8, op);
    view.setUint8(i * 8 + 1, dst | (src << 4));
    view.setInt16(i * 8 + 2, off, true);
    view.setInt32(i * 8 + 4, imm, true);
  });
  return bytes;
}

export const EXIT: Raw = { op: 0x95 };

/** r[dst] = value, all 64 bits of it: two slots. */
export function wide(dst: number, value: bigint, src = 0): Raw[] {
  const imm = (from: bigint): number => Number(BigInt.asIntN(32, from));
  return [
    { op: 0x18, dst, src, imm: imm(value) },
    { op: 0, imm: imm(value >> 32n) },
  ];
}

/** r[dst] = imm, sign-extended. */
export const set = (dst: number, imm: number): Raw => ({ op: 0xb7, dst, imm });
/** r[dst] = r[src]. */
export const move = (dst: number, src: number): Raw => ({ op: 0xbf, dst, src });
