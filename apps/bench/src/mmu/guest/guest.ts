import { accessSync, constants } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { CheckError, type TemporaryFolder, temporaryFolder } from '@vmarea/cli';
import type { PageTableFormat } from '@vmarea/core';
import type { Target } from '../target.js';
import { ACCESSES, MAILBOX, RESULT_WORDS, STUB } from './layout.js';
import { type Qemu, QemuProcess } from './qemu.js';
import { type Ram, SharedRam } from './ram.js';

/** An address, and the accesses to make there, a bit for each. */
export interface Job {
  readonly va: bigint;
  readonly mask: number;
}

/** A processor that makes accesses: a guest, or a substitute in a test. */
export interface Processor {
  readonly ram: Ram;
  /** The value that the first access of the next batch stores. Each later access, made or not, adds 1. */
  readonly firstStore: bigint;
  /** Makes the accesses of a batch and returns the words of the results: `ACCESSES.length` times four for each job. */
  run(registers: readonly bigint[], jobs: readonly Job[]): Promise<BigUint64Array<ArrayBuffer>>;
}

/** Milliseconds until a guest that does not answer counts as broken. A busy machine needs many. */
const PATIENCE = 120_000;
/** Readings of the mailbox between two turns of the event loop. */
const LOOKS = 200;

/** A QEMU that runs the target's stub, which makes batches of accesses. */
export class Guest implements Processor {
  readonly ram: SharedRam;
  readonly #target: Target;
  readonly #folder: TemporaryFolder;
  readonly #qemu: QemuProcess;
  #batch = 0n;
  #store = 0n;

  /**
   * Starts QEMU.
   *
   * @param format - the processor must support it.
   */
  constructor(target: Target, qemu: Qemu, format: PageTableFormat) {
    this.#target = target;
    this.#folder = temporaryFolder('vmarea-mmu-', memoryFolder());
    this.ram = new SharedRam(join(this.#folder.path, 'ram'), target.ram.bytes, target.ram.offsetOf);
    const files = target.install(this.ram, this.#folder.path, format);
    const { bytes } = target.ram;
    this.#qemu = new QemuProcess(qemu, [
      ...['-nodefaults', '-display', 'none', '-no-reboot', '-accel', 'tcg', '-smp', '1'],
      ...['-m', `${bytes / (1n << 20n)}M`],
      ...['-object', `memory-backend-file,id=ram,size=${bytes},share=on,mem-path=${this.ram.path}`],
      ...target.qemuArguments(format, files, qemu.version),
    ]);
  }

  async run(registers: readonly bigint[], jobs: readonly Job[]): Promise<BigUint64Array<ArrayBuffer>> {
    const { ram } = this;
    const base = this.#target.ram.stub;
    const mailbox = base + BigInt(STUB.mailbox);
    const list = new BigUint64Array(jobs.flatMap(({ va, mask }) => [va, BigInt(mask)]));
    ram.write(base + BigInt(STUB.jobs), new Uint8Array(list.buffer));
    const words = new BigUint64Array([BigInt(jobs.length), this.firstStore, ...registers]);
    ram.write(mailbox + BigInt(MAILBOX.jobs), new Uint8Array(words.buffer));
    this.#batch++;
    ram.write64(mailbox, this.#batch);
    await this.#answer(mailbox + BigInt(MAILBOX.done));
    this.#store += BigInt(jobs.length * ACCESSES.length);
    const results = new BigUint64Array(jobs.length * ACCESSES.length * RESULT_WORDS);
    ram.read(base + BigInt(STUB.results), new Uint8Array(results.buffer));
    return results;
  }

  get firstStore(): bigint {
    // This is not an address: bit 63 is set and those below are clear.
    return (1n << 63n) | this.#store;
  }

  async #answer(done: bigint): Promise<void> {
    const start = performance.now();
    for (;;) {
      for (let i = 0; i < LOOKS; i++) {
        if (this.ram.read64(done) !== this.#batch) continue;
        // QEMU has opened the files. Without names, they go when both processes end, in whatever way.
        if (this.#batch === 1n) this.#folder.remove();
        return;
      }
      await setImmediate();
      const { ended } = this.#qemu;
      if (ended !== null) throw new CheckError(ended);
      if (performance.now() - start > PATIENCE) {
        throw new CheckError(`the guest does not answer batch ${this.#batch} within ${PATIENCE / 1000} s`);
      }
    }
  }

  stop(): void {
    this.#qemu.stop();
    this.ram.close();
    this.#folder.remove();
  }
}

/** A folder in memory, if there is one. */
function memoryFolder(): string {
  try {
    accessSync('/dev/shm', constants.W_OK | constants.X_OK);
    return '/dev/shm';
  } catch {
    return tmpdir();
  }
}
