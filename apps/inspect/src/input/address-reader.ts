import { VmError } from '@vmarea/core';

/** Values of hexadecimal digits by their codes; 255 for anything else. */
const DIGITS = new Uint8Array(256).fill(255);
for (const [i, digit] of [...'0123456789abcdef'].entries()) {
  DIGITS[digit.charCodeAt(0)] = i;
  DIGITS[digit.toUpperCase().charCodeAt(0)] = i;
}
const NEWLINE = 10;
const SPACE = 32;
const COMMA = 44;
const MOST_DIGITS = 16;

/**
 * Reads hexadecimal addresses out of text: any number of them a line, with or without `0x`, between white space and commas. It takes text in
 * pieces, and keeps no more than one address between them.
 */
export class AddressReader {
  readonly #what: string;
  readonly #take: (hi: number, lo: number) => void;
  #hi = 0;
  #lo = 0;
  #digits = 0;
  /** The word began with 0x. */
  #isPrefixed = false;
  #isWord = false;
  #line = 1;
  #text = '';

  /**
   * @param what - where the text is from, for errors.
   * @param take - gets each address, as two words.
   */
  constructor(what: string, take: (hi: number, lo: number) => void) {
    this.#what = what;
    this.#take = take;
  }

  /** @throws VmError `EINVAL` for a word that is no address, with its line. */
  push(bytes: Uint8Array): void {
    const { length } = bytes;
    for (let at = 0; at < length; at++) {
      const byte = bytes[at] as number;
      if ((DIGITS[byte] as number) !== 255 && this.#digits < MOST_DIGITS) at = this.#word(bytes, at);
      else if (byte <= SPACE || byte === COMMA) {
        this.#end();
        if (byte === NEWLINE) this.#line++;
      } else {
        this.#other(byte);
      }
    }
  }

  /** Takes digits. @returns where the last one is. */
  #word(bytes: Uint8Array, first: number): number {
    let hi = this.#hi;
    let lo = this.#lo;
    let at = first;
    const end = Math.min(bytes.length, first + MOST_DIGITS - this.#digits);
    for (; at < end; at++) {
      const digit = DIGITS[bytes[at] as number] as number;
      if (digit === 255) break;
      hi = (hi << 4) | (lo >>> 28);
      lo = (lo << 4) | digit;
    }
    this.#hi = hi;
    this.#lo = lo;
    this.#digits += at - first;
    this.#isWord = true;
    return at - 1;
  }

  /** Tells that there is no more text. */
  end(): void {
    this.#end();
  }

  #end(): void {
    if (!this.#isWord) return;
    if (this.#digits === 0) throw this.#bad();
    this.#take(this.#hi, this.#lo);
    this.#reset();
  }

  #reset(): void {
    this.#hi = 0;
    this.#lo = 0;
    this.#digits = 0;
    this.#isPrefixed = false;
    this.#isWord = false;
  }

  #other(byte: number): void {
    const isX = (byte | 32) === 120;
    if (!isX || this.#isPrefixed || this.#digits !== 1 || this.#lo !== 0) {
      this.#text = String.fromCharCode(byte);
      throw this.#bad();
    }
    this.#isPrefixed = true;
    this.#digits = 0;
  }

  #bad(): VmError {
    const digits = this.#digits === 0 ? '' : this.#shown();
    const word = `${this.#isPrefixed ? '0x' : ''}${digits}`;
    return new VmError(
      'EINVAL',
      `${this.#what}, line ${this.#line}: ${JSON.stringify(`${word}${this.#text}`)} begins no address`,
      { advice: 'addresses are hexadecimal, of at most 16 digits, with or without 0x' },
    );
  }

  #shown(): string {
    const value = (BigInt(this.#hi >>> 0) << 32n) | BigInt(this.#lo >>> 0);
    return value.toString(16).padStart(this.#digits, '0');
  }
}
