/** Translates addresses of one root. */
export interface Translator {
  /**
   * Translates an address given as two 32-bit words.
   *
   * @returns the pfn of the base page, or -1 when there is no translation.
   */
  translate(vaHi: number, vaLo: number): number;
}
