import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Path of a file of the app. */
export function pathOf(file: string): string {
  return fileURLToPath(new URL(`../../${file}`, import.meta.url));
}

/** Text of a file of the app. */
export function textOf(file: string): string {
  return readFileSync(pathOf(file), 'utf8');
}

export const X86_GUEST = 'data/linux-6.12-x86-64.vmallocinfo.txt';
export const ARM64_4K_GUEST = 'test/data/linux-6.1-arm64-4k.vmallocinfo.txt';
