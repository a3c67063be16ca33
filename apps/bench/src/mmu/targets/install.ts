import { readFileSync } from 'node:fs';
import { appFile } from '../../app-root.js';

/** Reads a stub from stubs/NAME.bin. */
export function stub(name: string): Uint8Array {
  return readFileSync(appFile(`stubs/${name}.bin`));
}

/** The bytes of 32-bit words. */
export function code32(...words: number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(words).buffer);
}
