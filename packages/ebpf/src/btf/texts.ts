import { ByteReader } from '../elf/byte-reader.js';

/** The table of texts of a `.BTF` section. */
export class BtfTexts {
  readonly bytes: Uint8Array;
  readonly #reader: ByteReader;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#reader = new ByteReader(bytes, 'table of texts of .BTF');
  }

  /**
   * The name at an offset.
   *
   * @throws VmError `EINVAL` for an offset beyond the table, and for a name of more than 511 bytes.
   */
  at(offset: number): string {
    return offset === 0 ? '' : this.#reader.text(offset);
  }

  /** Whether a text begins at an offset. */
  has(offset: number): boolean {
    return offset === 0 || offset < this.bytes.length;
  }

  /**
   * The text at an offset that `has` knows, for people.
   *
   * @param longest - a longer text is cut.
   */
  shown(offset: number, longest: number): string {
    return offset === 0 ? '' : this.#reader.shownText(offset, longest);
  }
}
