/** An entry that points to a table. */
export interface ParentLink {
  readonly node: TableNode;
  readonly index: number;
}

/** The sanitizer's copy of one table at one level. A table that points to itself has a node at each level. */
export class TableNode {
  readonly pfn: number;
  readonly level: number;
  /** Two words for each entry, as they were at the last look. */
  readonly copy: Int32Array;
  /** The entries that point to it. A node without any is out of the tree; the root never has one. */
  readonly parents: ParentLink[] = [];

  constructor(pfn: number, level: number, copy: Int32Array) {
    this.pfn = pfn;
    this.level = level;
    this.copy = copy;
  }

  /** Forgets an entry that points here. */
  leave(node: TableNode, index: number): void {
    const at = this.parents.findIndex((link) => link.node === node && link.index === index);
    if (at >= 0) this.parents.splice(at, 1);
  }
}
