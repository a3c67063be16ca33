import { optionsOf, PhysicalMemory, sourceBank, VmError } from '@vmarea/core';
import type { ContainerKind, Contents, PageState } from './containers/contents.js';
import { openContents } from './containers/open.js';
import type { RawPiece } from './containers/raw.js';
import type { NoteBytes } from './notes/elf-notes.js';
import { machineOfNotes, type ProcessorState, processorsIn } from './notes/processors.js';
import { Vmcoreinfo } from './notes/vmcoreinfo.js';
import { shown } from './source/broken.js';
import type { Source } from './source/source.js';

/** Options of `openImage`. */
export interface ImageOptions {
  /** The file is raw memory, without a container: where its pieces are. */
  readonly map?: readonly RawPiece[];
  /** The text of VMCOREINFO, where the dump has none: from /sys/kernel/vmcoreinfo's page, or another dump of this boot. */
  readonly vmcoreinfo?: string;
  /** Most frames that its memory keeps: a power of two from 4 to 2^20. Default: 1024. */
  readonly frames?: number;
}

/** A note of a dump. */
export interface ImageNote {
  /** Its owner: `CORE`, `QEMU`, `VMCOREINFO`. */
  readonly name: string;
  readonly type: number;
  readonly data: Uint8Array;
}

/** A range of physical addresses. */
export interface ImageRange {
  /** Physical address of its first byte. */
  readonly address: bigint;
  /** Length in bytes. */
  readonly bytes: bigint;
}

const NAMES = ['map', 'vmcoreinfo', 'frames'] as const;

/**
 * Opens a memory dump as it is. Its container is recognised by what it begins with, never by a name.
 *
 * ELF cores (QEMU with and without paging, /proc/vmcore, makedumpfile -E, VirtualBox), kdump (zlib, LZO, snappy, zstd), flattened
 * files, split sets, LiME, AVML, PTIMAGE1; raw memory with the option `map`. Nothing reads a file whole.
 *
 * @param source - the file, or all files of a split kdump in any order.
 * @throws VmError `EINVAL` when it is no container, or damaged: the message names the byte, and what was expected; `EFAULT` when
 *   the source cannot be read.
 * @example
 * ```ts
 * import * as fs from 'node:fs';
 *
 * const image = openImage(fileSource(fs.openSync('vmcore', 'r'), fs));
 * image.container.kind; // 'kdump'
 * image.memory.read64(0x1000n);
 * ```
 */
export function openImage(source: Source | readonly Source[], options?: ImageOptions): Image {
  const { map, vmcoreinfo, frames } = optionsOf(options, NAMES, 'openImage()') as ImageOptions;
  const sources = Array.isArray(source) ? (source as readonly Source[]) : [source as Source];
  if (sources.length === 0) throw new VmError('EINVAL', 'openImage() got no source');
  if (map !== undefined && sources.length > 1)
    throw new VmError('EINVAL', 'raw memory is one file: expected one source with `map`');
  if (vmcoreinfo !== undefined && typeof vmcoreinfo !== 'string')
    throw new VmError('EINVAL', `vmcoreinfo is ${shown(vmcoreinfo)}: expected text`);
  const { contents, isFlattened, warnings } = openContents(sources, map);
  return new Image(contents, {
    container: Object.freeze({ kind: contents.kind, isFlattened, files: sources.length }),
    warnings,
    vmcoreinfo: vmcoreinfo ?? null,
    frames,
  });
}

/** How a dump is packed. */
export interface ImageContainer {
  readonly kind: ContainerKind;
  /** makedumpfile or QEMU had flattened it. */
  readonly isFlattened: boolean;
  readonly files: number;
}

/** A memory dump. `openImage` makes it. */
export class Image {
  readonly container: ImageContainer;
  /** ELF's number of the machine: 62 for x86-64, 183 for arm64, 243 for riscv64. `null` when the dump does not say it. */
  readonly machine: number | null;
  /** Bytes of a page, as VMCOREINFO says, else as the container counts; `null` when neither does. */
  readonly pageSize: number | null;
  /** Its memory. Frames are fetched when they are asked for. */
  readonly memory: PhysicalMemory;
  readonly notes: readonly ImageNote[];
  /** What the kernel says of itself; `null` when the dump does not say where that is. `findRoots` then looks for it in memory. */
  readonly vmcoreinfo: Vmcoreinfo | null;
  /** The processors whose registers the dump has. */
  readonly processors: readonly ProcessorState[];
  /** utsname: system, node, release, version, machine, domain. Empty ones are unknown. `null` when the dump has none. */
  readonly uts: readonly string[] | null;
  /** What is not as it should be, in words for people. */
  readonly warnings: readonly string[];
  /** @internal */
  readonly contents: Contents;

  /** @internal */
  constructor(
    contents: Contents,
    given: {
      readonly container: ImageContainer;
      readonly warnings: readonly string[];
      readonly vmcoreinfo: string | null;
      readonly frames: number | undefined;
    },
  ) {
    const { notes } = contents;
    this.contents = contents;
    this.container = given.container;
    this.warnings = given.warnings;
    this.memory = PhysicalMemory.of([
      sourceBank(contents, given.frames === undefined ? undefined : { frames: given.frames }),
    ]);
    this.notes = notes.map(({ name, type, data }) => Object.freeze({ name, type, data }));
    this.vmcoreinfo = vmcoreinfoOf(contents, given.vmcoreinfo);
    this.machine = contents.machine ?? machineOfNotes(notes);
    this.pageSize = this.vmcoreinfo?.pageSize ?? contents.pageSize;
    this.processors = [
      ...processorsIn(notes),
      ...(contents.registers === null ? [] : [{ source: 'header', registers: contents.registers }]),
    ];
    // QEMU writes a machine that says nothing.
    this.uts = contents.uts?.map((text) => (text === 'Unknown' ? '' : text)) ?? null;
  }

  /** The ranges of memory that the dump describes, ascending, whether it has their bytes or left them out. */
  *ranges(): IterableIterator<ImageRange> {
    for (const { start, end } of this.contents.spans())
      yield { address: BigInt(start), bytes: BigInt(end - start) };
  }

  /** What the dump says of a physical address. */
  stateOf(pa: bigint): PageState {
    return isAddress(pa) ? this.contents.stateOf(Number(pa)) : 'absent';
  }

  /** Why the dump has no byte at a physical address: a clause. `null` when it has one, or says nothing of the address. */
  whyNot(pa: bigint): string | null {
    return isAddress(pa) ? this.contents.whyNot(Number(pa)) : null;
  }

  /** What it is, in a line. */
  toString(): string {
    const { kind, isFlattened } = this.container;
    return `Image: ${isFlattened ? 'flattened ' : ''}${kind}, ${this.contents.bytes} bytes of memory`;
  }
}

function isAddress(pa: unknown): pa is bigint {
  return typeof pa === 'bigint' && pa >= 0n && pa < 1n << 52n;
}

function vmcoreinfoOf(contents: Contents, given: string | null): Vmcoreinfo | null {
  if (given !== null) return new Vmcoreinfo(bytesOf(given), 'the caller');
  const note = contents.notes.find(({ name }: NoteBytes) => name === 'VMCOREINFO');
  if (note !== undefined) return new Vmcoreinfo(note.data, 'a note of the dump');
  return contents.vmcoreinfo === null ? null : new Vmcoreinfo(contents.vmcoreinfo, 'the header of the dump');
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0) & 255);
}
