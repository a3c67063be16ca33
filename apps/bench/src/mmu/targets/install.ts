import { readFileSync } from 'node:fs';
import { appFile } from '../../app-root.js';

/** The bytes of a stub: stubs/NAME.bin. */
export function stub(name: string): Uint8Array {
  return readFileSync(appFile(`stubs/${name}.bin`));
}

/** Words of 32 bits as bytes. */
export function code32(...words: number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(words).buffer);
}
