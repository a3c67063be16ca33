import { closeSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';

/** Bytes at physical addresses. */
export interface Ram {
  write(pa: bigint, bytes: Uint8Array): void;
  /** Fills the bytes with what is there. */
  read(pa: bigint, bytes: Uint8Array): void;
  write64(pa: bigint, value: bigint): void;
  read64(pa: bigint): bigint;
}

/** The guest's memory, as a file that it maps: what is written here, it sees. Holes read as zeros and take no room. */
export class SharedRam implements Ram {
  readonly path: string;
  /** Length in bytes. */
  readonly bytes: bigint;
  readonly #file: number;
  readonly #offsetOf: (pa: bigint) => bigint;
  readonly #word = new BigUint64Array(1);

  /**
   * @param offsetOf - where in the file a physical address is.
   */
  constructor(path: string, bytes: bigint, offsetOf: (pa: bigint) => bigint) {
    this.path = path;
    this.bytes = bytes;
    this.#offsetOf = offsetOf;
    this.#file = openSync(path, 'w+');
    ftruncateSync(this.#file, Number(bytes));
  }

  write(pa: bigint, bytes: Uint8Array): void {
    let done = 0;
    const at = Number(this.#offsetOf(pa));
    while (done < bytes.length) done += writeSync(this.#file, bytes, done, bytes.length - done, at + done);
  }

  read(pa: bigint, bytes: Uint8Array): void {
    const at = Number(this.#offsetOf(pa));
    let done = 0;
    while (done < bytes.length) {
      const got = readSync(this.#file, bytes, done, bytes.length - done, at + done);
      if (got === 0) throw new Error(`the guest's memory ends before 0x${pa.toString(16)}`);
      done += got;
    }
  }

  write64(pa: bigint, value: bigint): void {
    this.#word[0] = value;
    this.write(pa, new Uint8Array(this.#word.buffer));
  }

  read64(pa: bigint): bigint {
    this.read(pa, new Uint8Array(this.#word.buffer));
    return this.#word[0] as bigint;
  }

  close(): void {
    closeSync(this.#file);
  }
}
