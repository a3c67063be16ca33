import { ARM64_INVALIDATIONS, configurations as arm64s } from '@vmarea/arm64';
import type { Invalidation, PageTableFormat } from '@vmarea/core';
import { RISCV64_INVALIDATIONS, configurations as riscv64s } from '@vmarea/riscv64';
import { X8664_INVALIDATIONS, configurations as x86s } from '@vmarea/x86-64';
import { configurations as la57s } from '@vmarea/x86-64-la57';

/** A format with its processor's words. */
export interface Processor {
  readonly name: string;
  readonly format: PageTableFormat;
  readonly invalidations: readonly Invalidation[];
  /** Its invalidation of one page in all address spaces, and of everything. */
  readonly page: string;
  readonly everything: string;
}

const of = (
  configurations: readonly { readonly name: string; readonly format: PageTableFormat }[],
  words: Pick<Processor, 'invalidations' | 'page' | 'everything'>,
): Processor[] => configurations.map(({ name, format }) => ({ name, format, ...words }));

const X86 = { invalidations: X8664_INVALIDATIONS, page: 'INVLPG', everything: 'MOV CR4.PGE' };

/** Every format that is shipped. */
export const PROCESSORS: readonly Processor[] = [
  ...of(x86s, X86),
  ...of(la57s, X86),
  ...of(arm64s, { invalidations: ARM64_INVALIDATIONS, page: 'TLBI VAAE1', everything: 'TLBI VMALLE1' }),
  ...of(riscv64s, { invalidations: RISCV64_INVALIDATIONS, page: 'SFENCE.VMA va', everything: 'SFENCE.VMA' }),
];
