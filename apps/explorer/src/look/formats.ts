import { configurations as arm64 } from '@vmarea/arm64';
import type { Configuration } from '@vmarea/core';
import { configurations as riscv64 } from '@vmarea/riscv64';
import { configurations as x8664 } from '@vmarea/x86-64';
import { configurations as x8664La57 } from '@vmarea/x86-64-la57';

/** All configurations of the project's formats. */
export const CONFIGURATIONS: readonly Configuration[] = [...x8664, ...x8664La57, ...arm64, ...riscv64];

/** The configuration of a name; `null` for none. */
export function configurationOf(name: string): Configuration | null {
  return CONFIGURATIONS.find((one) => one.name === name) ?? null;
}
