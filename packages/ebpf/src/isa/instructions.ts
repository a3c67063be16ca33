/** Bytes of an instruction; LDIMM64 has two. */
export const INSTRUCTION_BYTES = 8;

/** The fields of instructions in a run of bytes, little-endian (RFC 9669, section 3.1). */
export class Instructions {
  /** How many slots of 8 bytes there are. */
  readonly count: number;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.count = Math.floor(bytes.length / INSTRUCTION_BYTES);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  opcode(i: number): number {
    return this.#view.getUint8(i * INSTRUCTION_BYTES);
  }

  /** The destination register, 0 to 15. */
  dst(i: number): number {
    return this.#view.getUint8(i * INSTRUCTION_BYTES + 1) & 15;
  }

  /** The source register, 0 to 15, or what it stands for in LDIMM64 and calls. */
  src(i: number): number {
    return this.#view.getUint8(i * INSTRUCTION_BYTES + 1) >> 4;
  }

  /** The offset, signed, 16 bits. */
  offset(i: number): number {
    return this.#view.getInt16(i * INSTRUCTION_BYTES + 2, true);
  }

  /** The immediate, signed, 32 bits. */
  imm(i: number): number {
    return this.#view.getInt32(i * INSTRUCTION_BYTES + 4, true);
  }

  setImm(i: number, value: number): void {
    this.#view.setInt32(i * INSTRUCTION_BYTES + 4, value, true);
  }

  setSrc(i: number, value: number): void {
    this.#view.setUint8(i * INSTRUCTION_BYTES + 1, this.dst(i) | (value << 4));
  }
}
