import { checkAddress } from '../../check/address.js';
import type { Access, Controls, Permissions } from '../../format/access.js';
import { brokenRule, classify, isInRun, shapeOf } from '../../format/classify.js';
import type { EntryKind, Level } from '../../format/entry.js';
import type { Fault, FaultCode } from '../../format/fault.js';
import type { MemoryAttributes } from '../../format/memory-attributes.js';
import { type LevelPlan, type Plan, slotOf } from '../../format/plan.js';
import type { Protection } from '../../format/protection.js';
import type { Bank } from '../../memory/bank.js';
import { joinWords, type Words, words } from '../../words.js';
import { isTranslated } from '../page-range.js';
import type { TableContext } from '../state/context.js';
import { childPfn } from '../state/entries.js';
import { readEntry } from './read-entry.js';
import { leafFrame } from './walk-end.js';

/** One entry that a walk read. */
export interface WalkStep {
  /** Index into `format.levels`; 0 is the root. */
  readonly level: number;
  /** The level's name: `PGD` … `PTE`. */
  readonly name: string;
  /** Physical address of the table, in bytes. */
  readonly table: bigint;
  /** Slot of the entry in the table. */
  readonly index: number;
  /** Physical address of the entry, in bytes. */
  readonly address: bigint;
  /** The entry's 64 bits. */
  readonly entry: bigint;
  /** What the MMU makes of it. */
  readonly kind: EntryKind;
}

/** The leaf that a walk ended in. */
export interface WalkLeaf {
  /** Index into `format.levels`. */
  readonly level: number;
  /** log2 of the size that the leaf's level covers, in bytes. */
  readonly leafShift: number;
  /**
   * log2 of the bytes of the run that the leaf is part of, by its contiguous or NAPOT mark; `null` for none.
   */
  readonly runShift: number | null;
  /** Physical address of the leaf's first byte. */
  readonly pa: bigint;
  /** Its first frame, in base pages. */
  readonly pfn: number;
  /** What the leaf says by itself; see `Walk.permissions` for what all levels allow. */
  readonly protection: Protection;
  /** Its memory type and shareability as numbers; `null` where the format's entries say neither. */
  readonly attributes: MemoryAttributes | null;
}

/** Everything that a walk of one address tells. */
export interface Walk {
  /** The address, in bytes. */
  readonly va: bigint;
  /** The entries read, root first. Empty when the address is outside the root's range. */
  readonly steps: readonly WalkStep[];
  /** The leaf; `null` when there is no translation. */
  readonly leaf: WalkLeaf | null;
  /**
   * Physical address of `va`, in bytes; `null` when there is no translation. Also set when the access is
   * refused: see `fault`.
   */
  readonly pa: bigint | null;
  /** The effective permissions over all levels; `null` when there is no translation. */
  readonly permissions: Permissions | null;
  /** Why there is no translation, or why the access is refused; `null` for neither. */
  readonly fault: (Fault & { readonly code: FaultCode }) | null;
}

/** What a walk is asked. */
interface Question {
  readonly va: bigint;
  readonly words: Words;
  readonly access: Access | undefined;
  readonly controls: Controls;
}

/** The entries that a walk read, root first: as it tells them, and as the format judges them. */
interface Trail {
  readonly steps: WalkStep[];
  readonly path: Words[];
}

const READ: Access = { kind: 'read', user: false };

/**
 * Walks one address as the MMU does, and reports every entry on the way.
 *
 * It never throws for an address without translation: the fault says why. It changes nothing: accessed and
 * dirty bits stay.
 *
 * @param va - 0 to 2^64 - 1.
 * @param access - when given, permissions are judged too.
 * @param controls - complete.
 */
export function walkAddress(
  context: TableContext,
  va: bigint,
  access: Access | undefined,
  controls: Controls,
): Walk {
  const { plan, counters } = context;
  const { format } = plan;
  checkAddress(va);
  const steps: WalkStep[] = [];
  const path: Words[] = [];
  const failed = (fault: Fault): Walk => ({
    va,
    steps,
    leaf: null,
    pa: null,
    permissions: null,
    fault: { ...fault, code: format.faultCode(fault, access ?? READ, controls) },
  });
  if (!isTranslated(format, va)) return failed({ kind: 'address', level: 0 });
  const barred = access === undefined ? null : (format.checkRoot?.(access, controls) ?? null);
  if (barred !== null) return failed(barred);

  const question: Question = { va, words: words(va), access, controls };
  let table: { bank: Bank; word: number; pa: bigint } = { ...context.root, pa: rootAddress(context) };
  for (const level of plan.levels) {
    const index = slotOf(level, question.words.hi, question.words.lo);
    const at = table.word + 2 * index;
    const entry = readEntry(table.bank, at);
    const kind = classify(format.present, level.level, entry);
    counters.tablesRead++;
    counters.entriesRead++;
    path.push(entry);
    steps.push({
      level: level.index,
      name: level.level.name,
      table: table.pa,
      index,
      address: table.pa + 8n * BigInt(index),
      entry: joinWords(entry.lo, entry.hi),
      kind,
    });
    if (kind === 'none' || kind === 'absent') return failed({ kind: 'not-present', level: level.index });
    if (kind === 'reserved') return failed({ kind: reservedKind(level.level, entry), level: level.index });
    if (kind === 'leaf') return found(plan, level, question, { steps, path });
    const pfn = childPfn(context, entry.lo, entry.hi);
    const bank = context.memory.bankOf(pfn, plan.pageShift);
    if (bank === null) return failed({ kind: 'external', level: level.index + 1 });
    table = { bank, word: bank.wordOf(pfn, plan.pageShift), pa: BigInt(pfn) << BigInt(plan.pageShift) };
  }
  throw new Error('a format whose last level has tables passed its check');
}

/** Physical address of the root table's first byte. A small root may start inside its frame. */
export function rootAddress(context: TableContext): bigint {
  const { root, plan } = context;
  const offset = root.word - root.bank.wordOf(root.pfn, plan.pageShift);
  return (BigInt(root.pfn) << BigInt(plan.pageShift)) + 4n * BigInt(offset);
}

function reservedKind(level: Level, entry: Words): 'reserved' | 'address-size' {
  const shape = shapeOf(level, entry);
  const rule = shape === null ? null : brokenRule(shape, entry);
  return rule?.fault ?? 'reserved';
}

/** What a walk tells whose last entry is a leaf. */
function found(
  plan: Plan,
  level: LevelPlan,
  { va, words: at, access, controls }: Question,
  { steps, path }: Trail,
): Walk {
  const { format, pageShift } = plan;
  const entry = path[path.length - 1] as Words;
  const pfn = leafFrame(plan, level, entry.lo, entry.hi, at.hi, at.lo);
  const { run } = level.level;
  const size = 1n << BigInt(level.shift);
  const page = BigInt(pfn) << BigInt(pageShift);
  const fault = access === undefined ? null : format.check(path, access, controls);
  return {
    va,
    steps,
    leaf: {
      level: level.index,
      leafShift: level.shift,
      runShift: run !== null && isInRun(run, entry.lo, entry.hi) ? level.runShift : null,
      pa: page - (page % size),
      pfn: Number((page - (page % size)) >> BigInt(pageShift)),
      protection: format.decode(entry, level.index),
      attributes: format.memoryAttributes?.(entry, level.index) ?? null,
    },
    pa: page + (va & ((1n << BigInt(pageShift)) - 1n)),
    permissions: format.permissions(path, controls),
    fault: fault === null ? null : { ...fault, code: format.faultCode(fault, access ?? READ, controls) },
  };
}
