// Reads the parts of a WebAssembly binary that the check of the loops needs.
// Source: WebAssembly core specification, chapter "Binary Format", section "Modules".

/** Names of sections by their id. */
const SECTIONS = [
  'custom',
  'type',
  'import',
  'function',
  'table',
  'memory',
  'global',
  'export',
  'start',
  'element',
  'code',
  'data',
  'data count',
  'tag',
];
const KINDS = ['function', 'table', 'memory', 'global', 'tag'];

/**
 * Reads a binary's sections, imports and exports.
 *
 * @param {Uint8Array} bytes
 */
export function readModule(bytes) {
  const reader = new Reader(bytes, 8);
  /** @type {string[]} */
  const sections = [];
  /** @type {{ name: string, kind: string, limits: Limits }[]} */
  let imports = [];
  /** @type {{ name: string, kind: string }[]} */
  let exports = [];
  while (reader.at < bytes.length) {
    const section = SECTIONS[reader.byte()] ?? 'unknown';
    const size = reader.number();
    const end = reader.at + size;
    sections.push(section);
    if (section === 'import') imports = reader.list(() => readImport(reader));
    if (section === 'export') exports = reader.list(() => readExport(reader));
    reader.at = end;
  }
  return { sections, imports, exports };
}

/** @param {Reader} reader */
function readImport(reader) {
  const name = `${reader.name()}.${reader.name()}`;
  const kind = KINDS[reader.byte()] ?? 'unknown';
  if (kind !== 'memory') throw new Error(`imports ${name}, a ${kind}: expected a memory`);
  return { name, kind, limits: readLimits(reader) };
}

/**
 * Flags: bit 0 for a maximum, bit 1 for shared, bit 2 for 64-bit addresses.
 *
 * @typedef {{ flags: number, minimum: number, maximum: number }} Limits
 * @param {Reader} reader
 * @returns {Limits}
 */
function readLimits(reader) {
  const flags = reader.byte();
  const minimum = reader.number();
  return { flags, minimum, maximum: (flags & 1) === 0 ? Number.POSITIVE_INFINITY : reader.number() };
}

/** @param {Reader} reader */
function readExport(reader) {
  const name = reader.name();
  const kind = KINDS[reader.byte()] ?? 'unknown';
  reader.number();
  return { name, kind };
}

class Reader {
  /**
   * @param {Uint8Array} bytes
   * @param {number} at
   */
  constructor(bytes, at) {
    this.bytes = bytes;
    this.at = at;
  }

  byte() {
    return /** @type {number} */ (this.bytes[this.at++]);
  }

  /** An unsigned LEB128. */
  number() {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }

  name() {
    const length = this.number();
    this.at += length;
    return new TextDecoder().decode(this.bytes.subarray(this.at - length, this.at));
  }

  /**
   * @template T
   * @param {() => T} read
   */
  list(read) {
    return Array.from({ length: this.number() }, read);
  }
}
