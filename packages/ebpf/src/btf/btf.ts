import { VmError } from '@vmarea/core';
import type { ByteReader } from '../elf/byte-reader.js';
import { BtfTexts } from './texts.js';

/** A member of a struct, a parameter of a function, a variable of a section, or a value of an enumeration. */
export interface BtfMember {
  readonly name: string;
  /** The id of its type; 0 for `void`, and for values of an enumeration. */
  readonly type: number;
  /** Offset, value or size: what the kind has beside a name and a type. */
  readonly value: bigint;
}

/** A type of a BTF section. What a kind does not have is 0 or empty. */
export interface BtfType {
  readonly kind: number;
  readonly name: string;
  /** Size in bytes, or the id of the type that this one refers to. */
  readonly sizeOrType: number;
  readonly members: readonly BtfMember[];
  /** Elements of an array. */
  readonly elements: number;
  /** Of a declaration tag: the index of the parameter or member, -1 for the declaration itself. */
  readonly component: number;
}

// Kinds: include/uapi/linux/btf.h.
const BTF_PTR = 2;
const BTF_ARRAY = 3;
const BTF_STRUCT = 4;
const BTF_UNION = 5;
const BTF_ENUM = 6;
const BTF_TYPEDEF = 8;
const BTF_VOLATILE = 9;
const BTF_CONST = 10;
const BTF_RESTRICT = 11;
const BTF_FUNC = 12;
const BTF_FUNC_PROTO = 13;
const BTF_INT = 1;
const BTF_VAR = 14;
const BTF_DATASEC = 15;
const BTF_DECL_TAG = 17;
const BTF_TYPE_TAG = 18;
const BTF_ENUM64 = 19;

/** What `skip` passes over: types that only qualify another one. */
const MODIFIERS: ReadonlySet<number> = /* @__PURE__ */ new Set([
  BTF_TYPEDEF,
  BTF_VOLATILE,
  BTF_CONST,
  BTF_RESTRICT,
  BTF_TYPE_TAG,
]);

/** A chain of modifiers is followed so far: a cycle must not hang. */
const LONGEST_CHAIN = 32;

const MAGIC = 0xeb9f;
const NO_TAGS: ReadonlyMap<number, readonly string[]> = /* @__PURE__ */ new Map();
const VOID: BtfType = /* @__PURE__ */ Object.freeze({
  ...{ kind: 0, name: 'void', sizeOrType: 0, members: [], elements: 0, component: -1 },
});

/** The types of a `.BTF` section. Layout: Linux's Documentation/bpf/btf.rst. */
export class Btf {
  /** By id. Id 0 is `void`. */
  readonly types: readonly BtfType[];
  readonly texts: BtfTexts;
  readonly #reader: ByteReader;
  #tags: Map<string, Map<number, string[]>> | null = null;

  /** @throws VmError `EINVAL` for a section that is no BTF, with the offset and what was expected. */
  constructor(reader: ByteReader) {
    this.#reader = reader;
    if (reader.u16(0) !== MAGIC) throw reader.refuse(0, 'expected the magic number 0xeb9f of BTF');
    const header = reader.u32(4);
    const from = header + reader.u32(8);
    const length = reader.u32(12);
    this.texts = new BtfTexts(reader.bytes(header + reader.u32(16), reader.u32(20)));
    reader.bytes(from, length);
    this.types = this.#readTypes(from, from + length);
  }

  /** A type without its modifiers. @throws VmError `EINVAL` for an id that is not there, and for a cycle. */
  skip(id: number): BtfType {
    let next = id;
    for (let i = 0; i < LONGEST_CHAIN; i++) {
      const type = this.#typeOf(next);
      if (!MODIFIERS.has(type.kind)) return type;
      next = type.sizeOrType;
    }
    throw new VmError('EINVAL', `BTF type ${id} is a chain of more than ${LONGEST_CHAIN} modifiers`);
  }

  /** The variables of a section; none without one. */
  variables(section: string): { readonly name: string; readonly type: BtfType }[] {
    const data = this.types.find(({ kind, name }) => kind === BTF_DATASEC && name === section);
    return (data?.members ?? []).flatMap(({ type }) => {
      const variable = this.#typeOf(type);
      return variable.kind === BTF_VAR ? [{ name: variable.name, type: this.skip(variable.sizeOrType) }] : [];
    });
  }

  /**
   * A number that a map's definition has: `int (*name)[N]` stands for N, an enumeration with one value for that value.
   *
   * @returns `null` for another type.
   */
  numberOf(id: number): bigint | null {
    const type = this.skip(id);
    if (type.kind === BTF_PTR) {
      const array = this.skip(type.sizeOrType);
      return array.kind === BTF_ARRAY ? BigInt(array.elements) : null;
    }
    const isEnum = type.kind === BTF_ENUM || type.kind === BTF_ENUM64;
    return isEnum && type.members.length === 1 ? (type.members[0] as BtfMember).value : null;
  }

  /** Members of a struct; `null` for another type. */
  membersOf(type: BtfType): readonly BtfMember[] | null {
    return type.kind === BTF_STRUCT ? type.members : null;
  }

  /** Declaration tags of a function's parameters: by index of the parameter. */
  parameterTags(name: string): ReadonlyMap<number, readonly string[]> {
    this.#tags ??= this.#readTags();
    return this.#tags.get(name) ?? NO_TAGS;
  }

  #readTags(): Map<string, Map<number, string[]>> {
    const all = new Map<string, Map<number, string[]>>();
    for (const tag of this.types) {
      const type = this.types[tag.sizeOrType];
      if (tag.kind !== BTF_DECL_TAG || tag.component < 0 || type?.kind !== BTF_FUNC) continue;
      const tags = all.get(type.name) ?? new Map<number, string[]>();
      const list = tags.get(tag.component) ?? [];
      list.push(tag.name);
      tags.set(tag.component, list);
      all.set(type.name, tags);
    }
    return all;
  }

  #typeOf(id: number): BtfType {
    const type = this.types[id];
    if (type === undefined)
      throw new VmError('EINVAL', `there is no BTF type ${id}, but ${this.types.length}`);
    return type;
  }

  #readTypes(from: number, end: number): BtfType[] {
    const reader = this.#reader;
    const types = [VOID];
    let at = from;
    while (at < end) {
      const info = reader.u32(at + 4);
      const kind = (info >>> 24) & 31;
      const count = info & 0xffff;
      const type = { kind, name: this.texts.at(reader.u32(at)), sizeOrType: reader.u32(at + 8) };
      const more = at + 12;
      const bytes = bytesAfter(kind, count);
      if (bytes < 0) throw reader.refuse(at + 4, `there is no BTF kind ${kind}`);
      if (more + bytes > end)
        throw reader.refuse(more, `expected ${bytes} bytes of a type, beyond the types`);
      types.push({
        ...type,
        members: this.#readMembers(kind, count, more),
        elements: kind === BTF_ARRAY ? reader.u32(more + 8) : 0,
        component: kind === BTF_DECL_TAG ? reader.u32(more) | 0 : -1,
      });
      at = more + bytes;
    }
    return types;
  }

  #readMembers(kind: number, count: number, from: number): BtfMember[] {
    const reader = this.#reader;
    const read = MEMBER_READERS.get(kind);
    if (read === undefined) return [];
    const size = bytesAfter(kind, 1);
    return Array.from({ length: count }, (_, i) => read(reader, from + i * size, (at) => this.texts.at(at)));
  }
}

type MemberReader = (reader: ByteReader, at: number, text: (offset: number) => string) => BtfMember;

const structMember: MemberReader = (reader, at, text) => ({
  name: text(reader.u32(at)),
  type: reader.u32(at + 4),
  value: BigInt(reader.u32(at + 8)),
});

/** How members of each kind are read. A variable of a section has no name of its own: its type is a BTF_VAR with one. */
const MEMBER_READERS: ReadonlyMap<number, MemberReader> = /* @__PURE__ */ new Map<number, MemberReader>([
  [BTF_STRUCT, structMember],
  [BTF_UNION, structMember],
  [
    BTF_FUNC_PROTO,
    (reader, at, text) => ({ name: text(reader.u32(at)), type: reader.u32(at + 4), value: 0n }),
  ],
  [BTF_DATASEC, (reader, at) => ({ name: '', type: reader.u32(at), value: BigInt(reader.u32(at + 4)) })],
  [
    BTF_ENUM,
    (reader, at, text) => ({ name: text(reader.u32(at)), type: 0, value: BigInt(reader.u32(at + 4)) }),
  ],
  [
    BTF_ENUM64,
    (reader, at, text) => ({
      name: text(reader.u32(at)),
      type: 0,
      value: (BigInt(reader.u32(at + 8)) << 32n) | BigInt(reader.u32(at + 4)),
    }),
  ],
]);

/** Bytes after the 12 that every type has; -1 for a kind that is not there. */
function bytesAfter(kind: number, count: number): number {
  if (kind === BTF_INT || kind === BTF_VAR || kind === BTF_DECL_TAG) return 4;
  if (kind === BTF_ARRAY) return 12;
  if (kind === BTF_STRUCT || kind === BTF_UNION || kind === BTF_DATASEC || kind === BTF_ENUM64)
    return 12 * count;
  if (kind === BTF_ENUM || kind === BTF_FUNC_PROTO) return 8 * count;
  return kind >= 1 && kind <= BTF_ENUM64 ? 0 : -1;
}
