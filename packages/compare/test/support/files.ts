import { readFileSync } from 'node:fs';
import { configurations as arm64 } from '@vmarea/arm64';
import type { Configuration } from '@vmarea/core';
import { configurations as riscv64 } from '@vmarea/riscv64';
import { configurations as x8664 } from '@vmarea/x86-64';
import { configurations as la57 } from '@vmarea/x86-64-la57';

/** Every configuration of the format packages. */
export const configurations: readonly Configuration[] = [...arm64, ...riscv64, ...x8664, ...la57];

/** The configuration of a name. */
export function configurationOf(name: string): Configuration {
  const found = configurations.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no format package has ${name}`);
  return found;
}

/** Text of a file of the bench app, which has recorded guests. */
export function textOf(file: string): string {
  return readFileSync(new URL(`../../../../apps/bench/${file}`, import.meta.url), 'utf8');
}

export const X86_GUEST = 'data/linux-6.12-x86-64.vmallocinfo.txt';
export const ARM64_4K_GUEST = 'test/data/linux-6.1-arm64-4k.vmallocinfo.txt';
export const ARM64_16K_GUEST = 'test/data/linux-6.12-arm64-16k.vmallocinfo.txt';
