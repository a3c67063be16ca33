/*
 * Linux's tree of free ranges once more, with objects and recursion, for tests: red-black insertion and erasure written out side by
 * side as in lib/rbtree.c, longest ranges worked out afresh each time, the search of find_vmap_lowest_match over them. Slow, and
 * shares nothing with src/.
 */

export interface Block {
  start: number;
  end: number;
  red: boolean;
  parent: Block | null;
  left: Block | null;
  right: Block | null;
}

export class LinuxTree {
  root: Block | null = null;

  constructor(start: number, end: number) {
    this.insert(start, end);
  }

  /** All blocks by address. */
  blocks(node: Block | null = this.root): Block[] {
    return node === null ? [] : [...this.blocks(node.left), node, ...this.blocks(node.right)];
  }

  longest(node: Block | null): number {
    if (node === null) return 0;
    return Math.max(node.end - node.start, this.longest(node.left), this.longest(node.right));
  }

  insert(start: number, end: number, from: Block | null = this.root): void {
    const node: Block = { start, end, red: true, parent: null, left: null, right: null };
    if (from === null) {
      this.root = node;
    } else {
      let parent = from;
      for (;;) {
        const side = end <= parent.start ? 'left' : 'right';
        const child = parent[side];
        if (child === null) {
          parent[side] = node;
          node.parent = parent;
          break;
        }
        parent = child;
      }
    }
    this.#fixInsert(node);
  }

  #rotateLeft(x: Block): void {
    const y = x.right as Block;
    x.right = y.left;
    if (y.left !== null) y.left.parent = x;
    this.#hang(y, x.parent, x);
    y.left = x;
    x.parent = y;
  }

  #rotateRight(x: Block): void {
    const y = x.left as Block;
    x.left = y.right;
    if (y.right !== null) y.right.parent = x;
    this.#hang(y, x.parent, x);
    y.right = x;
    x.parent = y;
  }

  #hang(node: Block | null, parent: Block | null, inPlaceOf: Block): void {
    if (node !== null) node.parent = parent;
    if (parent === null) this.root = node;
    else if (parent.left === inPlaceOf) parent.left = node;
    else parent.right = node;
  }

  #fixInsert(inserted: Block): void {
    let node = inserted;
    while (node.parent?.red === true) {
      const parent = node.parent;
      const grand = parent.parent as Block;
      const uncle = grand.left === parent ? grand.right : grand.left;
      if (uncle?.red === true) {
        parent.red = false;
        uncle.red = false;
        grand.red = true;
        node = grand;
        continue;
      }
      let upper = parent;
      if (grand.left === parent) {
        if (parent.right === node) {
          this.#rotateLeft(parent);
          upper = node;
        }
        this.#rotateRight(grand);
      } else {
        if (parent.left === node) {
          this.#rotateRight(parent);
          upper = node;
        }
        this.#rotateLeft(grand);
      }
      upper.red = false;
      grand.red = true;
      break;
    }
    if (this.root !== null) this.root.red = false;
  }

  erase(node: Block): void {
    let fixAt: Block | null;
    let child: Block | null;
    let lostRed: boolean;
    if (node.left === null || node.right === null) {
      child = node.left ?? node.right;
      fixAt = node.parent;
      lostRed = node.red;
      this.#hang(child, node.parent, node);
    } else {
      let next = node.right;
      while (next.left !== null) next = next.left;
      lostRed = next.red;
      child = next.right;
      fixAt = next.parent === node ? next : next.parent;
      if (next.parent !== node) {
        this.#hang(child, next.parent, next);
        next.right = node.right;
        next.right.parent = next;
      }
      this.#hang(next, node.parent, node);
      next.left = node.left;
      next.left.parent = next;
      next.red = node.red;
    }
    if (lostRed) return;
    if (child !== null) child.red = false;
    else if (fixAt !== null) this.#fixErase(fixAt, null);
  }

  #fixErase(above: Block, lacking: Block | null): void {
    let parent: Block | null = above;
    let node = lacking;
    while (parent !== null) {
      if (parent.left === node && !(node === null && parent.right === null)) {
        let sibling = parent.right as Block;
        if (sibling.red) {
          sibling.red = false;
          parent.red = true;
          this.#rotateLeft(parent);
          sibling = parent.right as Block;
        }
        if (sibling.right?.red !== true) {
          if (sibling.left?.red !== true) {
            sibling.red = true;
            if (parent.red) {
              parent.red = false;
              return;
            }
            node = parent;
            parent = node.parent;
            continue;
          }
          sibling.left.red = false;
          sibling.red = true;
          this.#rotateRight(sibling);
          sibling = parent.right as Block;
        }
        sibling.red = parent.red;
        parent.red = false;
        (sibling.right as Block).red = false;
        this.#rotateLeft(parent);
        return;
      }
      let sibling = parent.left as Block;
      if (sibling.red) {
        sibling.red = false;
        parent.red = true;
        this.#rotateRight(parent);
        sibling = parent.left as Block;
      }
      if (sibling.left?.red !== true) {
        if (sibling.right?.red !== true) {
          sibling.red = true;
          if (parent.red) {
            parent.red = false;
            return;
          }
          node = parent;
          parent = node.parent;
          continue;
        }
        sibling.right.red = false;
        sibling.red = true;
        this.#rotateLeft(sibling);
        sibling = parent.left as Block;
      }
      sibling.red = parent.red;
      parent.red = false;
      (sibling.left as Block).red = false;
      this.#rotateRight(parent);
      return;
    }
  }

  /** find_vmap_lowest_match. */
  match(size: number, align: number, window: number, padded: boolean): Block | null {
    const length = padded ? size + align - 0.5 : size;
    const fits = (block: Block, from: number): boolean =>
      Math.ceil(Math.max(block.start, from) / align) * align + size <= block.end;
    let from = window;
    let node = this.root;
    while (node !== null) {
      if (this.longest(node.left) >= length && from < node.start) {
        node = node.left;
        continue;
      }
      if (fits(node, from)) return node;
      if (this.longest(node.right) >= length) {
        node = node.right;
        continue;
      }
      let climbed: Block | null = node.parent;
      node = null;
      while (climbed !== null) {
        if (fits(climbed, from)) return climbed;
        if (this.longest(climbed.right) >= length && from <= climbed.start) {
          from = climbed.start + 0.5;
          node = climbed.right;
          break;
        }
        climbed = climbed.parent;
      }
    }
    return null;
  }

  take(size: number, align: number, vstart: number, vend: number): number | null {
    const block = this.match(size, align, vstart, align > 1 && vend - vstart !== size);
    if (block === null) return null;
    const start = Math.ceil(Math.max(block.start, vstart) / align) * align;
    const end = start + size;
    if (end > vend) return null;
    if (block.start === start && block.end === end) this.erase(block);
    else if (block.start === start) block.start = end;
    else if (block.end === end) block.end = start;
    else {
      const left = block.start;
      block.start = end;
      this.insert(left, start, block);
    }
    return start;
  }

  give(start: number, end: number): void {
    const all = this.blocks();
    const behind = all.find((block) => block.start === end);
    const before = all.find((block) => block.end === start);
    if (behind !== undefined) behind.start = start;
    if (before !== undefined) {
      const until = behind?.end ?? end;
      if (behind !== undefined) this.erase(behind);
      before.end = until;
    }
    if (behind === undefined && before === undefined) this.insert(start, end);
  }
}
