import { broken } from '../source/broken.js';
import { Reader } from '../source/reader.js';
import type { Source } from '../source/source.js';
import type { Contents } from './contents.js';
import { ELF_MAGIC, openElf } from './elf.js';
import { FLATTENED_MAGIC, unflatten } from './flattened.js';
import { openKdump } from './kdump.js';
import { KDUMP_MAGIC } from './kdump-header.js';
import { AVML_MAGIC, LIME_MAGIC, openAvml, openLime } from './lime.js';
import { openPtimage, PTIMAGE_MAGIC } from './ptimage.js';
import { openRaw, type RawPiece } from './raw.js';

/** What a container is, once it is open. */
export interface OpenedContents {
  readonly contents: Contents;
  /** True when makedumpfile or QEMU had flattened the file. */
  readonly isFlattened: boolean;
  readonly warnings: readonly string[];
}

/** Containers by the text that they begin with. */
const CONTAINERS: readonly { readonly magic: string; readonly open: (reader: Reader) => Contents }[] = [
  { magic: ELF_MAGIC, open: openElf },
  { magic: KDUMP_MAGIC, open: (reader) => openKdump([reader]) },
  { magic: LIME_MAGIC, open: openLime },
  { magic: AVML_MAGIC, open: openAvml },
  { magic: PTIMAGE_MAGIC, open: openPtimage },
];

const MAGICS: readonly string[] = [...CONTAINERS.map(({ magic }) => magic), FLATTENED_MAGIC];

/** What a file may be that is packed as a whole, and what unpacks it. */
const PACKED: readonly { readonly magic: string; readonly advice: string }[] = [
  { magic: '\x1f\x8b', advice: 'it is packed by gzip: unpack it with gunzip' },
  { magic: '\xfd7zXZ', advice: 'it is packed by xz: unpack it with unxz' },
  { magic: '\x28\xb5\x2f\xfd', advice: 'it is packed by zstd: unpack it with unzstd' },
  { magic: 'BZh', advice: 'it is packed by bzip2: unpack it with bunzip2' },
  { magic: 'DISKDUMP', advice: 'it is a dump of diskdump, which came before kdump and is not read' },
];

/** Opens a container by what it begins with; with a map, the file is raw memory. */
export function openContents(
  sources: readonly Source[],
  map: readonly RawPiece[] | undefined,
): OpenedContents {
  const warnings: string[] = [];
  let isFlattened = false;
  const readers = sources.map((source) => {
    const reader = new Reader(source);
    if (map !== undefined || reader.magic(0, FLATTENED_MAGIC.length) !== FLATTENED_MAGIC) return reader;
    const inside = unflatten(reader);
    isFlattened = true;
    warnings.push(...inside.warnings);
    return new Reader(inside.source, inside.stored);
  });
  const [first] = readers as [Reader];
  const contents =
    readers.length > 1 ? openParts(readers) : map !== undefined ? openRaw(first, map) : openOne(first);
  // Memory may begin so, such as a piece that begins with a packed initramfs. It is more likely a mistake.
  const other = map === undefined ? undefined : (packedAs(first) ?? containerAs(first));
  if (other !== undefined)
    warnings.push(`the file is read as raw memory, as \`map\` says, and it begins as another one: ${other}`);
  return { contents, isFlattened, warnings: [...warnings, ...contents.warnings] };
}

/** Several files are the parts of one kdump. */
function openParts(readers: readonly Reader[]): Contents {
  for (const reader of readers) {
    if (reader.magic(0, KDUMP_MAGIC.length) !== KDUMP_MAGIC)
      throw broken(0, 'one of several files is no kdump: expected the parts of a split kdump');
  }
  return openKdump(readers);
}

function openOne(reader: Reader): Contents {
  for (const { magic, open } of CONTAINERS) {
    if (reader.magic(0, magic.length) === magic) return open(reader);
  }
  throw broken(
    0,
    `no container: expected ${MAGICS.map(shownMagic).join(', ')}`,
    packedAs(reader) ?? 'raw memory needs the option `map`',
  );
}

/** What a file is that is packed as a whole, and what unpacks it. */
function packedAs(reader: Reader): string | undefined {
  return PACKED.find(({ magic }) => reader.magic(0, magic.length) === magic)?.advice;
}

/** What a file is that is a container, and how it is opened. */
function containerAs(reader: Reader): string | undefined {
  const magic = MAGICS.find((one) => reader.magic(0, one.length) === one);
  return magic === undefined
    ? undefined
    : `with ${shownMagic(magic)}, as a container that opens without \`map\``;
}

function shownMagic(magic: string): string {
  return JSON.stringify(magic.replace(/\0+$/, '').replace('\x7f', '.'));
}
