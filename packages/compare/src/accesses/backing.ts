import type { Configuration, PageTableFormat } from '@vmarea/core';
import type { WalkSource } from '@vmarea/mmu';
import type { LeafChoice } from './leaf-choice.js';
import type { LeafCount } from './leaf-count.js';
import type { Relocation } from './relocation.js';

/** Page tables with the pages of a program. */
export interface AccessBacking {
  readonly configuration: Configuration;
  /** The format of a process's addresses. */
  readonly format: PageTableFormat;
  readonly leafChoice: LeafChoice | 'own';
  readonly source: WalkSource;
  /** Moves addresses that the format does not translate; `null`: none are moved. */
  readonly relocation: Relocation | null;
  /** Which pages exist; `null`: all. */
  readonly isMapped: ((hi: number, lo: number) => boolean) | null;
  /** What the tables are now. */
  state(): { readonly leaves: readonly LeafCount[]; readonly tables: number };
  /** Checks what the run left, and takes the tables down. */
  close(touchedPages: number): void;
}
