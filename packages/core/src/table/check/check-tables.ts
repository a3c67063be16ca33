import { flagOption, integerOption } from '../../check/members.js';
import { optionsOf } from '../../check/options.js';
import type { Controls } from '../../format/access.js';
import type { ReadableTable } from '../readable-table.js';
import type { TableContext } from '../state/context.js';
import { contextOf } from '../state/registry.js';
import { EngineCheck, makerOf } from './engine.js';
import { Findings, type TableFinding } from './finding.js';
import { findMapped } from './mapped-check.js';
import { TreeCheck } from './tree-check.js';

/** Options of `checkTables`. */
export interface CheckTablesOptions {
  /** How many findings to keep, 0 or more. All are counted. Default: 1000. */
  readonly most?: number;
  /** Whether a leaf that maps the frame of a table and may write is a finding. Default: false. */
  readonly mapped?: boolean;
}

/** What `checkTables` has found. */
export interface TableCheck {
  /** Tables that were read, the root included. */
  readonly tables: number;
  /** Leaves in them. A leaf of a run counts by itself. */
  readonly leaves: number;
  /** Number of findings, those included that were not kept. */
  readonly total: number;
  /** The findings that were kept, by address, upper tables first. Orphans come last. */
  readonly findings: readonly TableFinding[];
}

const NAMES = ['most', 'mapped'] as const;

/**
 * Checks page tables for what a processor would fault at, and for what only somebody who made a mistake leaves behind:
 * see `TableFinding`. It changes nothing.
 *
 * For the tables of a `PageTable`, and of a reader over its root such as `AddressSpace.table`, it also compares the
 * allocator and what the engine has noted of each table. What others wrote into such tables shows there: they are not
 * counted as live.
 *
 * Each table is read once (twice with `mapped`), as one of the level at which it was met first, so the work is bounded
 * by the bytes of the memory, also for a root that is none. Call it while nobody changes the tables: what is found in
 * the middle of a change of another thread may be gone when the call returns.
 *
 * @param table - a `PageTable`, or a reader: of an image, of `AddressSpace.table`.
 * @throws VmError `EINVAL` for anything else, for a destroyed one, and for an invalid option.
 * @example
 * ```ts
 * const { tables, total, findings } = checkTables(kernel.table);
 * for (const { va, kind, text } of findings) console.log(va === null ? '' : hex(va), kind, text);
 * ```
 */
export function checkTables<C extends Controls>(
  table: ReadableTable<C>,
  options?: CheckTablesOptions,
): TableCheck {
  return checkContext(contextOf(table), options);
}

/** The same for a page table by its context. */
export function checkContext(context: TableContext, options?: CheckTablesOptions): TableCheck {
  const given = optionsOf(options, NAMES, 'checkTables()');
  const findings = new Findings(integerOption(given, 'most', 0, Number.MAX_SAFE_INTEGER, 1000));
  const isMapped = flagOption(given, 'mapped', false);
  const maker = makerOf(context);
  const engine = maker === null ? null : new EngineCheck(maker, findings);
  const tree = new TreeCheck(context, findings, engine);
  tree.run();
  if (isMapped) findMapped(context, findings, tree.met);
  engine?.orphans(tree.met);
  const { tables, leaves } = tree;
  return Object.freeze({ tables, leaves, total: findings.total, findings: findings.sorted() });
}
