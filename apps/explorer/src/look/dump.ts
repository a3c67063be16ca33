import { type Configuration, completeControls, isTranslated, listLeaves, VmError, words } from '@vmarea/core';
import {
  blobSource,
  bytesSource,
  type FoundRoots,
  findRoots,
  type Image,
  openImage,
  type Source,
} from '@vmarea/image';
import {
  type ChosenRoot,
  chooseRoot,
  describeImage,
  FORMATS,
  type ImageInfo,
  type KernelLayout,
  kernelLayout,
  listProcesses,
  regionAt,
} from '@vmarea/inspect';
import type { Progress } from '../messages/caller.js';
import type {
  LookCalls,
  OpenRequest,
  RangeFilter,
  Reading,
  RootChoice,
  RootView,
  TableView,
} from './calls.js';
import { cellsOf } from './cells.js';
import { CountedSources } from './counted-source.js';
import { levelsOf } from './level-view.js';
import { listRanges, type Ranges } from './ranges.js';
import { hasTable, readTable } from './read-table.js';

/** A dump that is open, and the root that is looked at. */
export class Dump {
  readonly image: Image;
  readonly found: FoundRoots;
  readonly info: ImageInfo;
  readonly #sources: CountedSources;
  #root: { readonly chosen: ChosenRoot; readonly layout: KernelLayout } | null = null;
  #ranges: Promise<Ranges> | null = null;

  private constructor(sources: CountedSources, image: Image, found: FoundRoots) {
    this.#sources = sources;
    this.image = image;
    this.found = found;
    this.info = describeImage(image, found);
  }

  /** @throws VmError when the files are no dump: the message says what is wrong where. */
  static async open(request: OpenRequest, progress: (progress: Progress) => void): Promise<Dump> {
    const sources = new CountedSources(await sourcesOf(request));
    const image = openImage(sources.all, {
      ...(request.rawFrom === null ? {} : { map: [rawPiece(request)] }),
    });
    let isText = true;
    const found = findRoots(image, {
      formats: FORMATS,
      progress: (address, end) => {
        const share = Number(address) / Number(end);
        if (share === 1) isText = false;
        progress({ what: isText ? 'looking for VMCOREINFO' : 'looking for page tables', share });
      },
    });
    return new Dump(sources, image, found);
  }

  /** How much of the files was read so far. */
  get reading(): Reading {
    return { bytes: this.#sources.read, of: this.#sources.size };
  }

  /** The root that was chosen. */
  get chosen(): { readonly chosen: ChosenRoot; readonly layout: KernelLayout } {
    if (this.#root === null) throw new VmError('EINVAL', 'no root is chosen');
    return this.#root;
  }

  /** Chooses a root. All later calls are about it. */
  choose(choice: RootChoice, formats: readonly Configuration[]): RootView {
    const chosen =
      'number' in choice
        ? chooseRoot(this.image, this.found, { root: String(choice.number) })
        : chooseRoot(this.image, this.found, {
            root: `0x${choice.root.toString(16)}`,
            ...this.#formatOf(choice, formats),
          });
    const { format, root, from, controls } = chosen;
    const layout = kernelLayout(format, this.found.vmcoreinfo[0] ?? null);
    this.#root = { chosen, layout };
    this.#ranges = null;
    const { bits, upper } = format.range;
    return {
      ...{ format: format.name, root, from, pageShift: format.pageShift, bits, upper },
      levels: levelsOf(format),
      regions: layout.regions.map(({ name, start, end }) => ({ name, start, end })),
      assumed: layout.assumed,
      controls: completeControls(format.controls, controls, format.name) as RootView['controls'],
      first: firstOf(chosen, layout),
    };
  }

  #formatOf(
    { root, format }: { readonly root: bigint; readonly format: string | null },
    formats: readonly Configuration[],
  ): { readonly format?: Configuration } {
    // A candidate of this address and format has its own processor modes.
    const isCandidate = this.found.candidates.some(
      (one) => one.root === root && (format === null || one.table?.format.name === format),
    );
    if (format === null || isCandidate) return {};
    const known = formats.find((one) => one.name === format || one.format.name === format);
    if (known === undefined) throw new VmError('EINVAL', `no format is called ${JSON.stringify(format)}`);
    return { format: known };
  }

  /** The table of a level on the way to an address. */
  table(va: bigint, level: number): TableView {
    const { table, controls } = this.chosen.chosen;
    const { format } = table;
    if (!isTranslated(format, va))
      throw new VmError('ERANGE', 'the root does not translate this address', { address: va });
    const { steps } = table.walk(va);
    const step = steps[Math.min(level, steps.length - 1)];
    if (step === undefined) throw new VmError('ERANGE', 'the walk reads no entry', { address: va });
    const { memory } = this.image;
    const entries = readTable(memory, table, step.level, step.table);
    const path = steps.slice(0, step.level).map(({ entry }) => words(entry));
    const all = completeControls(format.controls, controls, format.name);
    const covered = BigInt((format.levels[step.level]?.shift ?? 0) + (format.levels[step.level]?.bits ?? 0));
    const cells = cellsOf(format, path, entries, all, (entry) => hasTable(memory, table, entry));
    return { level: step.level, pa: step.table, va: (va >> covered) << covered, entries, ...cells };
  }

  /** The roots of all processes. */
  processes(): { readonly root: bigint; readonly userBytes: bigint }[] {
    const kernel = this.found.candidates.find((one) => one.isBelieved && one.role === 'kernel');
    if (kernel === undefined)
      throw new VmError('EINVAL', 'the kernel of this dump is not known, so nothing tells its processes');
    return [...listProcesses(this.image, kernel)].map(({ root, userBytes }) => ({ root, userBytes }));
  }

  /** Lists all ranges once, and keeps those that a filter asks for. */
  async list(
    filter: RangeFilter,
    progress: (progress: Progress) => void,
  ): Promise<LookCalls['list']['answer']> {
    const { chosen, layout } = this.chosen;
    this.#ranges ??= listRanges(chosen.table, layout.regions, async (count) => {
      progress({ what: `${count.toLocaleString('en')} ranges`, share: null });
      await turn();
      if (this.#root?.chosen !== chosen) throw new VmError('EAGAIN', 'another root was chosen');
    });
    const ranges = await this.#ranges;
    const counts = ranges.filter(filter);
    return { counts, rows: ranges.columns() };
  }
}

/** Where to look first: at the text of a kernel, which tells most; else at the lowest address that is mapped. */
function firstOf({ table, candidate }: ChosenRoot, { regions }: KernelLayout): bigint {
  const { format } = table;
  const text = candidate?.role === 'kernel' ? regions.find(({ name }) => name === 'kernel text') : undefined;
  if (text !== undefined && isTranslated(format, text.start) && isTranslated(format, text.end - 1n)) {
    for (const item of listLeaves(table, { va: text.start, bytes: text.end - text.start, again: 'name' }))
      if (item.kind === 'leaves' && regionAt(regions, item.va, item.pa).region === text) return item.va;
  }
  const [first] = listLeaves(table, { again: 'name' });
  if (first !== undefined) return first.va;
  return format.range.upper === 'ones' ? (1n << 64n) - (1n << BigInt(format.range.bits)) : 0n;
}

/** Lets other messages be answered. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

async function sourcesOf({ files, isPacked }: OpenRequest): Promise<Source[]> {
  if (!isPacked) return files.map((file) => blobSource(file));
  const [file] = files;
  if (file === undefined) throw new VmError('EINVAL', 'there is no file');
  const stream = file.stream().pipeThrough(new DecompressionStream('gzip'));
  return [bytesSource(new Uint8Array(await new Response(stream).arrayBuffer()))];
}

function rawPiece({ files, rawFrom }: OpenRequest): { address: bigint; offset: number; bytes: number } {
  return { address: rawFrom ?? 0n, offset: 0, bytes: files[0]?.size ?? 0 };
}
