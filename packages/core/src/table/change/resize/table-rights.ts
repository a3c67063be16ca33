import { completeControls } from '../../../check/controls.js';
import type { Access, Controls, Permissions } from '../../../format/access.js';
import type { PageTableFormat } from '../../../format/page-table-format.js';
import type { Words } from '../../../words.js';
import type { TableContext } from '../../state/context.js';

/**
 * Controls under which rights are compared: the given ones, and those with one or two switches the other way.
 *
 * A right may show only under other modes. On arm64, the kernel executes a clean writable user page only where
 * hardware does not manage the dirty state.
 */
function variations(format: PageTableFormat, controls: Controls): readonly Controls[] {
  const own = controls as Readonly<Record<string, unknown>>;
  const names = Object.keys(own).filter((name) => typeof own[name] === 'boolean');
  const sets = [[], ...names.map((name) => [name])];
  for (const [i, one] of names.entries()) for (const other of names.slice(i + 1)) sets.push([one, other]);
  return sets.map((flipped) => {
    const changed = Object.fromEntries(flipped.map((name) => [name, own[name] !== true]));
    return completeControls<Controls>(format.controls, { ...own, ...changed }, format.name);
  });
}

/** Which table entries take a right from which leaves, whatever the modes are. Each answer is found once. */
class TableRights {
  readonly #format: PageTableFormat;
  readonly #controls: readonly Controls[];
  readonly #known = new Map<string, boolean>();

  /** @param controls - complete ones of the page table. */
  constructor(format: PageTableFormat, controls: Controls) {
    this.#format = format;
    this.#controls = variations(format, controls);
  }

  /**
   * True when a leaf allows something else by itself than as smaller leaves of a table.
   *
   * The tables above are taken to forbid nothing: another table may link to the one that holds the leaf.
   *
   * @param entry - points to the table; any address.
   * @param level - index of the level of `entry` and of the leaf.
   * @param whole - the leaf, without its address.
   * @param piece - the smaller leaves, without their addresses.
   */
  restricts(entry: Words, level: number, whole: Words, piece: Words): boolean {
    const key = [level, entry.lo, entry.hi, whole.lo, whole.hi, piece.lo, piece.hi].join(' ');
    let answer = this.#known.get(key);
    if (answer === undefined) {
      answer = this.#compare(entry, level, whole, piece);
      if (this.#known.size >= MOST) this.#known.clear();
      this.#known.set(key, answer);
    }
    return answer;
  }

  #compare(entry: Words, level: number, whole: Words, piece: Words): boolean {
    const format = this.#format;
    const above = Array.from({ length: level }, () => format.tableEntry);
    const cut = [...above, entry, piece];
    const uncut = [...above, whole];
    return this.#controls.some(
      (controls) => !isSame(format.permissions(cut, controls), format.permissions(uncut, controls)),
    );
  }
}

const rightsOfContext: WeakMap<TableContext, TableRights> = new WeakMap();

/** What the table entries of a page table take from leaves. Made by the first call that changes the size of a leaf. */
export function tableRights(context: TableContext): TableRights {
  let rights = rightsOfContext.get(context);
  if (rights === undefined) {
    rights = new TableRights(context.plan.format, context.controls);
    rightsOfContext.set(context, rights);
  }
  return rights;
}

/** Answers that are kept. Tables of a kernel have a few dozen kinds of leaves. */
const MOST = 4096;

const KINDS: readonly Access['kind'][] = ['read', 'write', 'execute'];

function isSame(one: Permissions, other: Permissions): boolean {
  return KINDS.every(
    (kind) => one.kernel[kind] === other.kernel[kind] && one.user[kind] === other.user[kind],
  );
}
