import type { Access } from '@vmarea/core';
import type { ImageInfo } from '@vmarea/inspect';
import type {
  BesideView,
  FormatName,
  LookCalls,
  RangeColumns,
  RangeCounts,
  RangeFilter,
  Reading,
  RootChoice,
  RootView,
  TableView,
  WalkView,
} from '../../look/calls.js';
import { Caller, type Port, type Progress } from '../../messages/caller.js';
import { canonical, indexOf, withIndex } from './address-parts.js';
import { BUNDLED, type BundledTable } from './bundled.js';
import { accessName, filterParams, modesParam, NOTHING, type Wanted, wantedBy } from './link.js';

/** What the library says of a file that may be raw memory. */
const RAW = '; raw memory needs the option `map`';

/** The format beside, before a person chooses one. */
const BESIDE = 'arm64-64k-48';

/** After so long at one address, it is shown in another format, too. Milliseconds. */
const STILL = 60;

/** Tables that are kept. One of 8,192 entries takes 80 KB. */
const KEPT = 32;

/** All that Walk shows. What is open stays open until another dump has opened well. */
export class WalkState {
  opening = $state<{ readonly name: string; readonly progress: Progress | null } | null>(null);
  error = $state<string | null>(null);
  /** Set when a file is of no container: it may be raw memory. */
  unknown = $state<readonly File[] | null>(null);
  /** The root that a link names in a file that is not open. */
  linked = $state<bigint | null>(null);
  name = $state<string | null>(null);
  bundled = $state<string | null>(null);
  info = $state.raw<ImageInfo | null>(null);
  reading = $state.raw<Reading | null>(null);
  root = $state.raw<RootView | null>(null);
  rootNumber = $state<number | null>(null);
  processes = $state.raw<LookCalls['processes']['answer'] | null>(null);
  va = $state(0n);
  /** Level of the table that is drawn. */
  level = $state(0);
  access = $state.raw<Access>({ kind: 'read', user: false });
  controls = $state.raw<Readonly<Record<string, boolean>>>({});
  table = $state.raw<TableView | null>(null);
  walk = $state.raw<WalkView | null>(null);
  formats = $state.raw<readonly FormatName[]>([]);
  besideFormat = $state<string>(BESIDE);
  beside = $state.raw<BesideView | null>(null);
  besideError = $state<string | null>(null);
  filter = $state.raw<RangeFilter>({});
  counts = $state.raw<RangeCounts | null>(null);
  ranges = $state.raw<RangeColumns | null>(null);
  listing = $state<Progress | null>(null);
  listError = $state<string | null>(null);

  #caller: Caller<LookCalls> | null = null;
  #openingCaller: Caller<LookCalls> | null = null;
  /** What a link names, for the dump that is opened next. */
  #wanted: Wanted = NOTHING;
  #moves = 0;
  /** The access that a root begins with. */
  #usual: Access = { kind: 'read', user: false };
  /** Tables of the root that were drawn, the latest last: a dump does not change. */
  readonly #tables = new Map<string, TableView>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #lists = 0;

  /** The slot that is selected: that of the address in the table that is drawn. */
  get index(): number {
    return this.root === null ? 0 : indexOf(this.root.levels, this.va, this.level);
  }

  /** Reads a link. A bundled table is fetched; a file must be opened by the person again. */
  async follow(params: ReadonlyMap<string, string>): Promise<void> {
    this.#wanted = wantedBy(params);
    const beside = params.get('beside');
    if (beside !== undefined) this.besideFormat = beside;
    const table = params.get('table');
    const bundled = BUNDLED.find(({ name }) => name === table);
    this.linked = bundled === undefined ? this.#wanted.root : null;
    if (bundled === undefined) {
      if (table !== undefined) this.error = `No tables are called ${JSON.stringify(table)}.`;
      return;
    }
    if (bundled.name === this.bundled) await this.#arrive();
    else await this.openBundled(bundled, this.#wanted);
  }

  /** The parameters of a link to what is shown. */
  get params(): Readonly<Record<string, string | number | null>> {
    if (this.root === null) return {};
    return {
      table: this.bundled,
      format: this.root.format,
      root: `0x${this.root.root.toString(16)}`,
      va: `0x${this.va.toString(16)}`,
      level: this.level,
      access: accessName(this.access) === accessName(this.#usual) ? null : accessName(this.access),
      beside: this.besideFormat === BESIDE ? null : this.besideFormat,
      modes: modesParam(this.controls),
      ...filterParams(this.filter),
    };
  }

  async openBundled(table: BundledTable, wanted: Wanted = NOTHING): Promise<void> {
    this.#wanted = wanted;
    this.opening = { name: table.title, progress: { what: 'fetching', share: null } };
    this.error = null;
    let blob: Blob;
    try {
      const response = await fetch(table.file);
      if (!response.ok) throw new Error(`the server says ${response.status}`);
      blob = await response.blob();
    } catch (error) {
      this.opening = null;
      this.error = `${table.file} could not be fetched: ${messageOf(error)}`;
      return;
    }
    await this.#open({ name: table.title, files: [blob], isPacked: true, rawFrom: null }, table.name);
  }

  async openFiles(files: readonly File[], rawFrom: bigint | null = null): Promise<void> {
    if (files.length === 0) return;
    const name = files.map((file) => file.name).join(', ');
    this.unknown = null;
    const empty = files.find((file) => file.size === 0);
    if (empty !== undefined) {
      this.error = `${empty.name}: the file is empty, or is a folder.`;
      return;
    }
    await this.#open({ name, files: [...files], isPacked: false, rawFrom }, null);
    if (this.error === null || rawFrom !== null) return;
    // The option of a program is a question of the page.
    const isUnknown = this.error.includes(RAW);
    this.error = this.error.replace(RAW, '');
    if (isUnknown && files.length === 1) this.unknown = files;
  }

  /** Ends an opening. */
  stop(): void {
    this.#openingCaller?.end();
    this.#openingCaller = null;
    this.opening = null;
  }

  /** Goes back to the choice of a dump. What is open is closed. */
  close(): void {
    this.stop();
    this.#caller?.end();
    this.#caller = null;
    this.info = null;
    this.root = null;
    this.name = null;
    this.bundled = null;
    this.error = null;
    this.#wanted = NOTHING;
  }

  async #open(request: LookCalls['open']['ask'], bundled: string | null): Promise<void> {
    this.stop();
    this.error = null;
    this.opening = { name: request.name, progress: null };
    // A worker of its own: a file that is no dump leaves what is open as it is, and the opening can be stopped.
    const caller = new Caller<LookCalls>(newWorker());
    this.#openingCaller = caller;
    try {
      const info = await caller.call('open', request, (progress) => {
        this.opening = { name: request.name, progress };
      });
      this.#caller?.end();
      this.#caller = caller;
      this.#openingCaller = null;
      this.info = info;
      this.name = request.name;
      this.bundled = bundled;
      this.root = null;
      this.table = null;
      this.walk = null;
      this.processes = null;
      this.reading = null;
      this.controls = {};
      this.counts = null;
      this.ranges = null;
      this.filter = {};
      this.formats = await caller.call('formats', null);
      await this.#arrive();
    } catch (error) {
      if (this.#openingCaller !== caller && this.#caller !== caller) return;
      if (this.#openingCaller === caller) {
        caller.end();
        this.#openingCaller = null;
      }
      this.error = `${request.name}: ${messageOf(error)}`;
    } finally {
      if (this.#openingCaller === null) this.opening = null;
    }
  }

  /** Goes where a link says, else to the best root. */
  async #arrive(): Promise<void> {
    const { root, format, va, level, access, controls, filter } = this.#wanted;
    const best = this.info?.best ?? null;
    const isSame =
      this.root !== null && root === this.root.root && (format === null || format === this.root.format);
    if (!isSame) {
      if (root !== null) await this.chooseRoot({ root, format });
      // An old link may name a root that this dump does not have. Something is shown all the same.
      const why = this.error;
      if (this.root === null && best !== null) await this.chooseRoot({ number: best });
      if (this.root === null)
        this.error ??= [
          `${this.name}: no root of page tables was found that can be believed.`,
          ...(this.info?.reasons ?? []),
        ].join('\n');
      this.error ??= why;
    }
    this.#wanted = NOTHING;
    this.linked = null;
    if (this.root === null) return;
    if (access !== null) this.access = access;
    // A mode that this processor does not have is left out.
    const modes = this.root.controls;
    const known = Object.entries(controls).filter(([name]) => typeof modes[name] === 'boolean');
    this.controls = Object.fromEntries(known);
    if (va !== null || access !== null || known.length > 0) await this.goTo(va ?? this.va, level);
    if (Object.keys(filter).length > 0) void this.list(filter);
  }

  /** Looks at another root. */
  async chooseRoot(choice: RootChoice): Promise<void> {
    const caller = this.#caller;
    if (caller === null) return;
    this.error = null;
    try {
      const root = await caller.call('choose', choice);
      this.#tables.clear();
      this.root = root;
      this.rootNumber =
        'number' in choice
          ? choice.number
          : (this.info?.roots.find((one) => one.root === root.root && one.format === root.format)?.number ??
            null);
      this.#usual = { kind: 'read', user: root.first < 1n << 63n };
      this.access = { kind: this.access.kind, user: this.#usual.user };
      this.controls = {};
      this.filter = {};
      this.counts = null;
      this.ranges = null;
      await this.goTo(root.first, null);
      void this.list();
    } catch (error) {
      this.error = messageOf(error);
    }
  }

  /** Goes to an address: draws the table of a level, or the one in which its walk ends. */
  async goTo(va: bigint, level: number | null): Promise<void> {
    const { root } = this;
    const caller = this.#caller;
    if (root === null || caller === null) return;
    const there = canonical(root.bits, root.upper, va);
    const move = ++this.#moves;
    try {
      const walk = await caller.call('walk', { va: there, access: this.access, controls: this.controls });
      const deepest = walk.tables.length - 1;
      const drawn = Math.max(0, Math.min(level ?? deepest, deepest));
      const name = `${drawn} ${walk.tables[drawn]?.pa} ${tableStart(root, there, drawn)}`;
      const table = this.#tables.get(name) ?? (await caller.call('table', { va: there, level: drawn }));
      if (move !== this.#moves) return;
      this.#keep(name, table);
      this.va = there;
      this.level = drawn;
      this.walk = walk;
      this.table = table;
      this.#besidesSoon(move);
    } catch (error) {
      if (move === this.#moves) this.error = messageOf(error);
    }
  }

  /** Selects a slot of the table that is drawn. */
  async select(index: number): Promise<void> {
    if (this.root === null || index === this.index) return;
    await this.goTo(
      canonical(this.root.bits, this.root.upper, withIndex(this.root.levels, this.va, this.level, index)),
      this.level,
    );
  }

  /** Goes into the table that the selected entry points to. */
  async descend(): Promise<void> {
    if (this.walk !== null && this.level < this.walk.tables.length - 1)
      await this.goTo(this.va, this.level + 1);
  }

  /** Goes to the table above. */
  async ascend(): Promise<void> {
    if (this.level > 0) await this.goTo(this.va, this.level - 1);
  }

  async setAccess(access: Access): Promise<void> {
    this.access = access;
    await this.goTo(this.va, this.level);
  }

  async setControl(name: string, value: boolean): Promise<void> {
    this.controls = { ...this.controls, [name]: value };
    await this.goTo(this.va, this.level);
  }

  #keep(name: string, table: TableView): void {
    this.#tables.delete(name);
    this.#tables.set(name, table);
    const [oldest] = this.#tables.keys();
    if (this.#tables.size > KEPT && oldest !== undefined) this.#tables.delete(oldest);
  }

  /** Keys come faster than mappings are made in another format: only the place where they end has one. */
  #besidesSoon(move: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (move === this.#moves) void this.#besides(move);
    }, STILL);
  }

  async setBeside(format: string): Promise<void> {
    this.besideFormat = format;
    await this.#besides(this.#moves);
  }

  async #besides(move: number): Promise<void> {
    const caller = this.#caller;
    if (caller === null || this.walk?.row.leaf == null) {
      this.beside = null;
      this.besideError = null;
      return;
    }
    const format = this.besideFormat;
    try {
      const beside = await caller.call('beside', { va: this.va, access: this.access, format });
      if (move !== this.#moves || format !== this.besideFormat) return;
      this.beside = beside;
      this.besideError = null;
    } catch (error) {
      if (move !== this.#moves || format !== this.besideFormat) return;
      this.beside = null;
      this.besideError = messageOf(error);
    }
  }

  async findProcesses(): Promise<void> {
    if (this.#caller === null) return;
    try {
      this.processes = await this.#caller.call('processes', null);
    } catch (error) {
      this.error = messageOf(error);
    }
  }

  async list(filter: RangeFilter = this.filter): Promise<void> {
    const caller = this.#caller;
    if (caller === null) return;
    this.filter = filter;
    const list = ++this.#lists;
    try {
      const { counts, rows } = await caller.call('list', filter, (progress) => {
        if (list === this.#lists) this.listing = progress;
      });
      if (list !== this.#lists) return;
      this.counts = counts;
      this.ranges = rows;
      this.listError = null;
      this.reading = await caller.call('reading', null);
    } catch (error) {
      if (list === this.#lists) this.listError = messageOf(error);
    } finally {
      if (list === this.#lists) this.listing = null;
    }
  }
}

function newWorker(): Port {
  return new Worker(new URL('../../look/worker.ts', import.meta.url), { type: 'module', name: 'dump' });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function tableStart({ levels }: RootView, va: bigint, level: number): bigint {
  const { shift, bits } = levels[level] as { shift: number; bits: number };
  const covered = BigInt(shift + bits);
  return (va >> covered) << covered;
}
