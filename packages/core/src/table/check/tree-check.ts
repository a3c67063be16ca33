import { brokenRule, isInRun, shapeOf } from '../../format/classify.js';
import type { LevelPlan } from '../../format/plan.js';
import { joinWords } from '../../words.js';
import type { TableContext } from '../state/context.js';
import { childPfn, isLeaf, isPresent, isTable } from '../state/entries.js';
import { leafStart } from '../state/leaf-start.js';
import { bankOf } from '../state/table-banks.js';
import { type TableEntries, tableEntries } from '../walk/read-entry.js';
import { rootAddress } from '../walk/walk.js';
import type { EngineCheck } from './engine.js';
import type { Findings } from './finding.js';
import { type CheckedTable, ofEntry, ofTable } from './place.js';
import { brokenRun } from './run-check.js';

/** Checks a tree of tables from the root on. It reads each frame once, as a table of the level at which it is met first. */
export class TreeCheck {
  tables = 0;
  leaves = 0;
  /** The tables that were read, by frame. A large root has several. */
  readonly met: Map<number, CheckedTable> = new Map();
  readonly #context: TableContext;
  readonly #findings: Findings;
  readonly #engine: EngineCheck | null;
  /** Frames on the way down. */
  readonly #way: number[] = [];

  constructor(context: TableContext, findings: Findings, engine: EngineCheck | null) {
    this.#context = context;
    this.#findings = findings;
    this.#engine = engine;
  }

  run(): void {
    const { root, plan } = this.#context;
    const level = plan.levels[0] as LevelPlan;
    const table = { ...root, level, start: rootAddress(this.#context), page: 0, link: null };
    for (let i = 0; i < 2 ** plan.rootOrder; i++) this.met.set(root.pfn + i, table);
    this.#read(table);
  }

  #read(table: CheckedTable): void {
    const { counters } = this.#context;
    const { level, bank, word, pfn } = table;
    this.tables++;
    counters.tablesRead++;
    counters.entriesRead += level.entries;
    this.#engine?.enter(table, this.#way.at(-1) ?? -1);
    this.#way.push(pfn);
    const entries = tableEntries(bank, word, 0, level.entries);
    const used = this.#readEntries(table, entries);
    this.#way.pop();
    this.#engine?.leave(table, used);
  }

  /** @returns how many entries are not 0. */
  #readEntries(table: CheckedTable, entries: TableEntries): number {
    const { level } = table;
    const { words } = entries.bank;
    let used = 0;
    for (let slot = 0; slot < level.entries; slot++) {
      const lo = words[entries.word + 2 * slot] as number;
      const hi = words[entries.word + 2 * slot + 1] as number;
      if ((lo | hi) === 0) continue;
      used++;
      if (isTable(level, lo, hi)) this.#link(table, slot, lo, hi);
      else if (isLeaf(level, lo, hi)) this.#leaf(table, entries, slot, lo, hi);
      else if (isPresent(this.#context, lo, hi)) this.#reserved(table, slot, lo, hi);
    }
    return used;
  }

  #link(above: CheckedTable, slot: number, lo: number, hi: number): void {
    const { plan } = this.#context;
    const level = plan.levels[above.level.index + 1] as LevelPlan;
    const pfn = childPfn(this.#context, lo, hi);
    const link = { lo, hi, address: above.start + 8n * BigInt(slot) };
    const page = above.page + slot * above.level.pages;
    const find = (kind: 'no-bytes' | 'again' | 'loop', text: string): void =>
      this.#findings.add(() => ofTable(this.#context, { level, pfn, page, link }, kind, text));
    const earlier = this.met.get(pfn);
    if (earlier !== undefined) {
      // The way has the first frame of a large root.
      if (this.#way.includes(earlier.pfn))
        find('loop', `is on its own way from the root, as a ${earlier.level.level.name} table`);
      else find('again', `was met before, as a ${earlier.level.level.name} table`);
      return;
    }
    const bank = bankOf(this.#context, pfn);
    if (bank === null) {
      find('no-bytes', 'has no bytes in this memory');
      return;
    }
    const start = BigInt(pfn) << BigInt(plan.pageShift);
    const table = { level, pfn, bank, word: bank.wordOf(pfn, plan.pageShift), start, page, link };
    this.met.set(pfn, table);
    this.#read(table);
  }

  #leaf(table: CheckedTable, entries: TableEntries, slot: number, lo: number, hi: number): void {
    const { plan } = this.#context;
    const { level } = table;
    const pfn = leafStart(plan, level, lo, hi, slot);
    const entry = joinWords(lo, hi);
    this.leaves++;
    if (pfn + level.pages > plan.pfnLimit)
      this.#findings.add(() =>
        ofEntry(
          this.#context,
          table,
          slot,
          { kind: 'address-size', entry, pfn },
          `maps memory above the ${plan.format.paBits} bits of physical addresses`,
        ),
      );
    const { run } = level.level;
    if (run === null || !isInRun(run, lo, hi)) return;
    const first = slot - (slot % run.entries);
    if (this.#hasMark(level, entries, first, slot)) return;
    const broken = brokenRun(plan, level, entries, first, slot);
    if (broken === null) return;
    this.#findings.add(() => {
      const found = ofEntry(
        this.#context,
        table,
        slot,
        { kind: 'run', entry, pfn },
        `is marked as part of a run, ${broken}`,
      );
      const { va } = ofEntry(this.#context, table, first, { kind: 'run', entry, pfn }, '');
      return { ...found, va, bytes: found.bytes * BigInt(run.entries) };
    });
  }

  /** True when an earlier leaf has the mark of the same run: then the run was looked at. */
  #hasMark(level: LevelPlan, { bank, word }: TableEntries, first: number, end: number): boolean {
    const { run } = level.level;
    for (let slot = first; slot < end; slot++) {
      const lo = bank.words[word + 2 * slot] as number;
      const hi = bank.words[word + 2 * slot + 1] as number;
      if (run !== null && isInRun(run, lo, hi) && isLeaf(level, lo, hi)) return true;
    }
    return false;
  }

  #reserved(table: CheckedTable, slot: number, lo: number, hi: number): void {
    const { plan } = this.#context;
    const { level } = table.level;
    const shape = shapeOf(level, { lo, hi });
    const rule = shape === null ? null : brokenRule(shape, { lo, hi });
    const isWide = rule?.fault === 'address-size';
    this.#findings.add(() => {
      const pfn = childPfn(this.#context, lo, hi);
      const found = { kind: isWide ? 'address-size' : 'reserved', entry: joinWords(lo, hi), pfn } as const;
      if (rule === null)
        return ofEntry(
          this.#context,
          table,
          slot,
          found,
          'is present, and is neither a table nor a leaf at this level',
        );
      const bits = `0x${joinWords(rule.mask.lo, rule.mask.hi).toString(16)}`;
      const value = `0x${joinWords(rule.value.lo, rule.value.hi).toString(16)}`;
      const must = rule.must === 'equal' ? 'must be' : 'must not be';
      const text = isWide
        ? `names memory above the ${plan.format.paBits} bits of physical addresses`
        : 'breaks a rule of the manual';
      return ofEntry(this.#context, table, slot, found, `${text}: its bits under ${bits} ${must} ${value}`);
    });
  }
}
