/** Writes `.BTF` and `.BTF.ext` sections for tests, by Linux's Documentation/bpf/btf.rst: it shares nothing with the reader. */
export class BtfWriter {
  readonly #texts: number[] = [0];
  readonly #types: number[] = [];
  #count = 0;

  text(text: string): number {
    if (text === '') return 0;
    const at = this.#texts.length;
    this.#texts.push(...new TextEncoder().encode(text), 0);
    return at;
  }

  /** Adds a type; returns its id. */
  type(kind: number, name: string, count: number, sizeOrType: number, ...more: number[]): number {
    this.#types.push(this.text(name), (kind << 24) | count, sizeOrType, ...more);
    return ++this.#count;
  }

  /** `int (*)[elements]`. */
  numberType(elements: number): number {
    const int = this.type(1, 'int', 0, 4, 32);
    return this.type(2, '', 0, this.type(3, '', 0, 0, int, int, elements));
  }

  /** An enumeration of 64 bits with one value. */
  wideType(value: bigint): number {
    return this.type(19, '', 1, 8, this.text('value'), Number(value & 0xffff_ffffn), Number(value >> 32n));
  }

  /** A variable that is a struct with members of the given types. */
  map(name: string, members: Readonly<Record<string, number>>): number {
    const list = Object.entries(members).flatMap(([member, type]) => [this.text(member), type, 0]);
    return this.type(14, name, 0, this.type(4, '', Object.keys(members).length, 8, ...list), 1);
  }

  /** The section `.maps` with variables. */
  maps(...variables: number[]): void {
    this.type(15, '.maps', variables.length, 0, ...variables.flatMap((id) => [id, 0, 8]));
  }

  bytes(): Uint8Array {
    const types = new Uint8Array(new Uint32Array(this.#types).buffer);
    const header = new Uint32Array([0x0001eb9f, 24, 0, types.length, types.length, this.#texts.length]);
    return new Uint8Array([...new Uint8Array(header.buffer), ...types, ...this.#texts]);
  }

  /** `.BTF.ext` with the lines of one section: instruction, file, text, line and column of each. */
  lines(
    section: string,
    lines: readonly (readonly [at: number, file: string, text: string, line: number, column: number])[],
  ): Uint8Array {
    const records = lines.flatMap(([at, file, text, line, column]) => [
      at * 8,
      this.text(file),
      this.text(text),
      (line << 10) | column,
    ]);
    const body = [16, this.text(section), lines.length, ...records];
    const header = [0x0001eb9f, 24, 0, 0, 0, body.length * 4];
    return new Uint8Array(new Uint32Array([...header, ...body]).buffer);
  }
}
