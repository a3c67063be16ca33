/** A page of memory: where it was, and its bytes. */
export interface TestPage {
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** Integers and bytes, one behind the other. */
export class Bytes {
  #parts: Uint8Array[] = [];
  length = 0;

  add(bytes: Uint8Array): this {
    this.#parts.push(bytes);
    this.length += bytes.length;
    return this;
  }

  text(text: string, length = text.length): this {
    const bytes = new Uint8Array(length);
    bytes.set(Uint8Array.from(text, (character) => character.charCodeAt(0)));
    return this.add(bytes);
  }

  zeros(length: number): this {
    return this.add(new Uint8Array(length));
  }

  u8(...values: number[]): this {
    return this.add(Uint8Array.from(values));
  }

  u16(...values: number[]): this {
    return this.#integers(values, 2, (view, value) => view.setUint16(0, value, true));
  }

  u32(...values: number[]): this {
    return this.#integers(values, 4, (view, value) => view.setUint32(0, value, true));
  }

  u64(...values: number[]): this {
    return this.#integers(values, 8, (view, value) => view.setBigUint64(0, BigInt(value), true));
  }

  /** Big-endian. */
  i64be(...values: number[]): this {
    return this.#integers(values, 8, (view, value) => view.setBigInt64(0, BigInt(value), false));
  }

  done(): Uint8Array {
    const all = new Uint8Array(this.length);
    let at = 0;
    for (const part of this.#parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }

  #integers(values: number[], size: number, set: (view: DataView, value: number) => void): this {
    for (const value of values) {
      const bytes = new Uint8Array(size);
      set(new DataView(bytes.buffer), value);
      this.add(bytes);
    }
    return this;
  }
}

/** Pages that follow each other, as ranges of bytes. */
export function rangesOf(pages: readonly TestPage[]): TestPage[] {
  const ranges: { address: number; parts: Bytes }[] = [];
  for (const { address, bytes } of [...pages].sort((a, b) => a.address - b.address)) {
    const last = ranges.at(-1);
    if (last !== undefined && last.address + last.parts.length === address) last.parts.add(bytes);
    else ranges.push({ address, parts: new Bytes().add(bytes) });
  }
  return ranges.map(({ address, parts }) => ({ address, bytes: parts.done() }));
}
