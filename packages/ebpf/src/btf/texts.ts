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
   * The text at an offset.
   *
   * @param longest - a longer text is refused.
   * @throws VmError `EINVAL` for an offset beyond the table.
   */
  at(offset: number, longest?: number): string {
    return offset === 0 ? '' : this.#reader.text(offset, longest);
  }
}
