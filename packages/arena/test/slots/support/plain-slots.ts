/** A range of the plain model: a record in a list. */
interface PlainRange {
  readonly start: number;
  readonly end: number;
  readonly isFree: boolean;
  /** When it was inserted. */
  readonly born: number;
}

/** What a call of the model came to: Linux's name of the error, or 'ok'. */
export type PlainResult = 'ok' | 'EAGAIN' | 'ENOMEM' | 'ENOENT' | 'EINVAL' | 'EEXIST' | number;

/**
 * The slots as a list of ranges with the time of their insertion, and nothing else. Each call is written down as the
 * kernel's range tree describes it: what goes, what is trimmed, what is inserted, in which order. It shares no code with
 * the library.
 */
export class PlainSlots {
  ranges: PlainRange[] = [];
  #clock = 0;

  constructor(
    readonly count: number,
    readonly order: 'best fit' | 'lowest first',
    readonly mayAllocate: () => boolean,
  ) {}

  #add(start: number, end: number, isFree: boolean): void {
    this.ranges.push({ start, end, isFree, born: ++this.#clock });
  }

  #touching(start: number, end: number): PlainRange[] {
    return this.ranges.filter((one) => one.start < end && one.end > start).sort((a, b) => a.start - b.start);
  }

  states(): string {
    const text = Array.from({ length: this.count }, () => '#');
    for (const { start, end, isFree } of this.ranges)
      for (let i = start; i < end; i++) text[i] = isFree ? '.' : i === start ? 'U' : 'u';
    return text.join('');
  }

  find(count: number): PlainResult {
    const fitting = this.ranges.filter((one) => one.isFree && one.end - one.start >= count);
    fitting.sort((a, b) =>
      this.order === 'lowest first'
        ? a.start - b.start
        : a.end - a.start - (b.end - b.start) || b.born - a.born,
    );
    return fitting[0]?.start ?? 'ENOENT';
  }

  findAligned(count: number, align: number, offset: number): PlainResult {
    const sorted = this.ranges.filter((one) => one.isFree);
    sorted.sort((a, b) =>
      this.order === 'lowest first'
        ? a.start - b.start
        : a.end - a.start - (b.end - b.start) || b.born - a.born,
    );
    for (const { start, end } of sorted)
      for (let at = start; at + count <= end; at++) if ((at + offset) % align === 0) return at;
    return 'ENOENT';
  }

  isSet(start: number, count: number): boolean {
    for (let i = start; i < start + count; i++)
      if (!this.ranges.some((one) => one.start <= i && i < one.end)) return false;
    return true;
  }

  #isBlocked(start: number, end: number): boolean {
    return this.#touching(start, end).some(({ isFree }) => !isFree);
  }

  #needsSplit(start: number, end: number): boolean {
    return this.ranges.some((one) => one.start < start && one.end > end);
  }

  #carve(start: number, end: number): void {
    for (const one of this.#touching(start, end)) {
      this.ranges = this.ranges.filter((other) => other !== one);
      if (one.start < start) this.#add(one.start, start, true);
      if (one.end > end) this.#add(end, one.end, true);
    }
  }

  #freeAt(slot: number): PlainRange | undefined {
    return this.ranges.find((one) => one.isFree && one.start <= slot && slot < one.end);
  }

  #merge(start: number, end: number): void {
    const sides = [this.#freeAt(start - 1), this.#freeAt(end)].filter((one) => one !== undefined);
    this.ranges = this.ranges.filter((one) => !sides.includes(one));
    this.#add(
      Math.min(start, ...sides.map((one) => one.start)),
      Math.max(end, ...sides.map((one) => one.end)),
      true,
    );
  }

  clear(start: number, count: number): PlainResult {
    const end = start + count;
    if (this.order === 'lowest first' && !this.isSet(start, count)) return 'EEXIST';
    if (this.#isBlocked(start, end)) return 'EAGAIN';
    if (this.#needsSplit(start, end) && !this.mayAllocate()) return 'ENOMEM';
    this.#carve(start, end);
    return 'ok';
  }

  setAvailable(start: number, count: number): PlainResult {
    const end = start + count;
    if (this.ranges.some((one) => one.isFree && one.start <= start && one.end >= end)) return 'ok';
    if (this.#isBlocked(start, end)) return 'EAGAIN';
    const hasSides = this.#freeAt(start - 1) !== undefined || this.#freeAt(end) !== undefined;
    if (!hasSides && !this.mayAllocate()) return 'ENOMEM';
    this.#carve(start, end);
    this.#merge(start, end);
    return 'ok';
  }

  /** Makes allocated slots without available neighbours available, whether or not a record can be had. */
  giveBack(start: number, count: number): void {
    this.#add(start, start + count, true);
  }

  setUnavailable(start: number, count: number): PlainResult {
    const end = start + count;
    if (this.#isBlocked(start, end)) return 'EAGAIN';
    if (this.#needsSplit(start, end) && !this.mayAllocate()) return 'ENOMEM';
    if (!this.mayAllocate()) return 'ENOMEM';
    this.#carve(start, end);
    this.#add(start, end, false);
    return 'ok';
  }

  #exactly(start: number, count: number): PlainRange | undefined {
    return this.ranges.find((one) => !one.isFree && one.start === start && one.end === start + count);
  }

  makeAvailable(start: number, count: number): PlainResult {
    const one = this.#exactly(start, count);
    if (one === undefined) return 'EINVAL';
    this.ranges = this.ranges.filter((other) => other !== one);
    const isAlone = this.#freeAt(start - 1) === undefined && this.#freeAt(start + count) === undefined;
    // Alone, it is the same record: no younger than it was.
    if (isAlone) this.ranges.push({ ...one, isFree: true });
    else this.#merge(start, start + count);
    return 'ok';
  }

  removeUnavailable(start: number, count: number): PlainResult {
    const one = this.#exactly(start, count);
    if (one === undefined) return 'EINVAL';
    this.ranges = this.ranges.filter((other) => other !== one);
    return 'ok';
  }

  /** As if all ranges had come to be in the order of their addresses. */
  rebuild(): void {
    const sorted = [...this.ranges].sort((a, b) => a.start - b.start);
    this.ranges = [];
    for (const { start, end, isFree } of sorted) this.#add(start, end, isFree);
  }
}
