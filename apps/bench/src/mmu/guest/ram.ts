import { closeSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { CheckError } from '@vmarea/cli';
import { hex } from '@vmarea/core';

/** Bytes at physical addresses. */
export interface Ram {
  write(pa: bigint, bytes: Uint8Array): void;
  /** Reads into the bytes. */
  read(pa: bigint, bytes: Uint8Array): void;
  write64(pa: bigint, value: bigint): void;
  read64(pa: bigint): bigint;
}

/** The guest's memory: a file that QEMU maps, too. Holes read as zeros and use no space. */
export class SharedRam implements Ram {
  readonly path: string;
  /** Length in bytes. */
  readonly bytes: bigint;
  readonly #file: number;
  readonly #offsetOf: (pa: bigint) => bigint;
  readonly #word = new BigUint64Array(1);

  /**
   * @param offsetOf - the offset of a physical address in the file.
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
    const at = this.#placeOf(pa, bytes.length);
    while (done < bytes.length) done += writeSync(this.#file, bytes, done, bytes.length - done, at + done);
  }

  read(pa: bigint, bytes: Uint8Array): void {
    const at = this.#placeOf(pa, bytes.length);
    let done = 0;
    while (done < bytes.length) done += readSync(this.#file, bytes, done, bytes.length - done, at + done);
  }

  write64(pa: bigint, value: bigint): void {
    this.#word[0] = value;
    this.write(pa, new Uint8Array(this.#word.buffer));
  }

  read64(pa: bigint): bigint {
    this.read(pa, new Uint8Array(this.#word.buffer));
    return this.#word[0] as bigint;
  }

  /**
   * The offset of bytes in the file. A write after the end of a file would extend it, and a negative offset would mean
   * the current position, so this checks both.
   *
   * @throws CheckError when the guest has no memory there.
   */
  #placeOf(pa: bigint, length: number): number {
    const at = this.#offsetOf(pa);
    if (at < 0n || at + BigInt(length) > this.bytes) {
      throw new CheckError(`the guest has no memory for ${length} bytes at ${hex(pa)}`);
    }
    return Number(at);
  }

  close(): void {
    closeSync(this.#file);
  }
}
