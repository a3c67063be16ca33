import type { Controls } from '../../format/access.js';
import type { ReadableTable } from '../readable-table.js';
import { behind, contextOf, requireLive } from '../state/registry.js';
import { FlatWalk } from './flat-walk.js';
import { generatedCursor } from './generated/generated-cursor.js';

/**
 * Translates addresses that are near the last one. It keeps the last-level table of the last walk, and reads
 * one entry where a walk reads four.
 *
 * It forgets the table when this page table changes through its own calls. It does not notice when others
 * change the tables above: call `reset` then, as a kernel invalidates a processor's cached upper levels.
 * Entries of the kept table are read again each time. Addresses in larger leaves are walked.
 *
 * On memory that other threads may use it keeps no table, since they may take any out. Each address is then walked.
 */
export interface TranslationCursor {
  /**
   * Translates one address that comes as two 32-bit words, without bigints or allocation.
   *
   * @param vaHi - bits 63..32, signed or unsigned.
   * @param vaLo - bits 31..0, signed or unsigned.
   * @returns the frame of the address in base pages, also inside a larger leaf; -1 when there is no
   *   translation.
   * @throws VmError `EINVAL` when the table was destroyed.
   */
  translateWords(vaHi: number, vaLo: number): number;
  /** Forgets the kept table. */
  reset(): void;
}

/**
 * Makes a cursor. It translates addresses near each other faster than `translateWords`, where the tables are
 * in one bank. See `TranslationCursor` for what it keeps.
 *
 * @param table - the table that translates.
 * @throws VmError `EINVAL` when the table was destroyed.
 * @example
 * ```ts
 * const cursor = translationCursor(table);
 * for (let page = 0; page < 512; page++) cursor.translateWords(0xffffc900, page << 12);
 * ```
 */
export function translationCursor<C extends Controls>(table: ReadableTable<C>): TranslationCursor {
  const context = contextOf(table);
  const { translator } = behind(table);
  const live = () => void requireLive(context);
  if (translator instanceof FlatWalk) return generatedCursor(context, translator, live);
  return {
    translateWords(vaHi, vaLo) {
      live();
      return translator.translate(vaHi, vaLo);
    },
    reset() {},
  };
}
