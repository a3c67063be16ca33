import { spawnSync } from 'node:child_process';
import { type Child, startChild } from '@vmarea/cli';

/** An installed QEMU. */
export interface Qemu {
  readonly binary: string;
  /** `10.0.2`. */
  readonly version: string;
}

/** Finds a QEMU in the folder `VMAREA_QEMU`, or on the PATH. */
export function findQemu(binary: string, env: Readonly<Record<string, string | undefined>>): Qemu | null {
  const folder = env.VMAREA_QEMU;
  const path = folder === undefined || folder === '' ? binary : `${folder}/${binary}`;
  const { stdout, status } = spawnSync(path, ['--version'], { encoding: 'utf8' });
  const version = status === 0 ? /version (\d+(?:\.\d+)*)/.exec(stdout)?.[1] : undefined;
  return version === undefined ? null : { binary: path, version };
}

/** A running QEMU. Keeps its standard error. */
export class QemuProcess {
  readonly #child: Child;
  #said = '';
  #hasEnded = false;

  constructor(qemu: Qemu, args: readonly string[]) {
    this.#child = startChild(qemu.binary, args, { hasOutput: false });
    this.#child.stderr?.on('data', (data) => {
      this.#said += String(data);
    });
    this.#child.ended.then(({ problem }) => {
      this.#said += problem ?? '';
      this.#hasEnded = true;
    });
  }

  /** Why it ended; `null` while it runs. */
  get ended(): string | null {
    return this.#hasEnded ? `QEMU ended: ${this.#said.trim() || 'without a message'}` : null;
  }

  stop(): void {
    this.#child.kill();
  }
}
