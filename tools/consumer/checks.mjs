/** Runs checks one after the other, prints a line for each, and counts those that fail. */
export class Checks {
  #name;
  #failures = 0;

  /** @param {string} name - of the tool, for its last line. */
  constructor(name) {
    this.#name = name;
  }

  /**
   * Runs one check. Its line ends with what it returns, or with why it failed.
   *
   * @param {string} title
   * @param {() => string | Promise<string>} body
   * @returns {Promise<boolean>} whether it passed.
   */
  async check(title, body) {
    const start = performance.now();
    try {
      const result = await body();
      const ms = Math.round(performance.now() - start);
      console.log(`ok    ${title} (${ms} ms)${result ? `: ${result}` : ''}`);
      return true;
    } catch (error) {
      this.#failures++;
      const { message, stdout = '', stderr = '' } = /** @type {any} */ (error);
      console.log(`FAIL  ${title}\n${[message, stdout, stderr].filter(Boolean).join('\n').trim()}`);
      return false;
    }
  }

  /** Prints the last line and sets the exit code. */
  finish() {
    const failed = this.#failures === 1 ? '1 check failed' : `${this.#failures} checks failed`;
    console.log(`${this.#name}: ${this.#failures === 0 ? 'all checks passed' : failed}`);
    process.exitCode = this.#failures === 0 ? 0 : 1;
  }
}
