/** Writes ELF objects for tests, by the manual: it shares nothing with the reader. */

/** A section to write. */
export interface WrittenSection {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** SHT_…, default PROGBITS. */
  readonly type?: number;
  readonly flags?: number;
  /** In memory, for NOBITS. */
  readonly size?: number;
  readonly relocations?: readonly { offset: number; type: number; symbol: string }[];
}

export interface WrittenSymbol {
  readonly name: string;
  /** Name of its section, or `null` for one that is elsewhere. */
  readonly section: string | null;
  readonly value?: number;
  readonly size?: number;
  readonly type?: number;
  readonly binding?: number;
}

const CODE = 6; // ALLOC | EXECINSTR

/** A program of the given instructions, in one function `main` of a section `syscall`. */
export function programOf(code: Uint8Array, others: readonly WrittenSection[] = []): Uint8Array {
  return writeElf(
    [{ name: 'syscall', bytes: code, flags: CODE }, ...others],
    [{ name: 'main', section: 'syscall', size: code.length, type: 2, binding: 1 }],
  );
}

class Texts {
  readonly bytes: number[] = [0];

  add(text: string): number {
    const at = this.bytes.length;
    this.bytes.push(...new TextEncoder().encode(text), 0);
    return at;
  }
}

export function writeElf(given: readonly WrittenSection[], symbols: readonly WrittenSymbol[]): Uint8Array {
  const texts = new Texts();
  const names = new Texts();
  const indexOf = (name: string | null): number =>
    name === null ? 0 : given.findIndex((one) => one.name === name) + 1;
  const symbolTable = new Uint8Array(24 * (symbols.length + 1));
  const symbolView = new DataView(symbolTable.buffer);
  symbols.forEach(({ name, section, value = 0, size = 0, type = 0, binding = 0 }, i) => {
    const at = 24 * (i + 1);
    symbolView.setUint32(at, texts.add(name), true);
    symbolView.setUint8(at + 4, (binding << 4) | type);
    symbolView.setUint16(at + 6, indexOf(section), true);
    symbolView.setBigUint64(at + 8, BigInt(value), true);
    symbolView.setBigUint64(at + 16, BigInt(size), true);
  });
  const relocated = given.flatMap((section, i) => {
    if (section.relocations === undefined) return [];
    const bytes = new Uint8Array(section.relocations.length * 16);
    const view = new DataView(bytes.buffer);
    section.relocations.forEach(({ offset, type, symbol }, j) => {
      view.setBigUint64(j * 16, BigInt(offset), true);
      view.setUint32(j * 16 + 8, type, true);
      view.setUint32(j * 16 + 12, symbols.findIndex(({ name }) => name === symbol) + 1, true);
    });
    return [{ name: `.rel${section.name}`, bytes, type: 9, info: i + 1, entry: 16 }];
  });
  const first = given.length + relocated.length + 1;
  const all: (WrittenSection & { info?: number; link?: number; entry?: number })[] = [
    ...given,
    ...relocated.map((one) => ({ ...one, link: first })),
    { name: '.symtab', bytes: symbolTable, type: 2, link: first + 1, entry: 24 },
    { name: '.strtab', bytes: new Uint8Array(texts.bytes), type: 3 },
  ];
  const nameAt = all.map(({ name }) => names.add(name));
  const namesAt = names.add('.shstrtab');
  all.push({ name: '.shstrtab', bytes: new Uint8Array(names.bytes), type: 3 });
  nameAt.push(namesAt);

  const offsets: number[] = [];
  let end = 64;
  for (const { bytes } of all) {
    end = Math.ceil(end / 8) * 8;
    offsets.push(end);
    end += bytes.length;
  }
  const headers = Math.ceil(end / 8) * 8;
  const file = new Uint8Array(headers + 64 * (all.length + 1));
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 1, true);
  view.setUint16(18, 247, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(40, BigInt(headers), true);
  view.setUint16(52, 64, true);
  view.setUint16(58, 64, true);
  view.setUint16(60, all.length + 1, true);
  view.setUint16(62, all.length, true);
  all.forEach(({ bytes, type = 1, flags = 0, size = bytes.length, info = 0, link = 0, entry = 0 }, i) => {
    file.set(bytes, offsets[i]);
    const at = headers + 64 * (i + 1);
    view.setUint32(at, nameAt[i] as number, true);
    view.setUint32(at + 4, type, true);
    view.setBigUint64(at + 8, BigInt(flags), true);
    view.setBigUint64(at + 24, BigInt(offsets[i] as number), true);
    view.setBigUint64(at + 32, BigInt(size), true);
    view.setUint32(at + 40, link, true);
    view.setUint32(at + 44, info, true);
    view.setBigUint64(at + 48, 8n, true);
    view.setBigUint64(at + 56, BigInt(entry), true);
  });
  return file;
}
