import { VmError } from '@vmarea/core';
import { BPF_MAP_TYPE_ARENA, type MapDefinition } from '../btf/map-definitions.js';
import { decode } from '../decode/decode.js';
import type { BpfObject, DataSection } from '../object/bpf-object.js';
import { type DataPlace, type Layout, layoutOf } from './layout.js';
import type { LinkedExtern, LinkedProgram, LinkedVariable } from './linked-program.js';
import { checkedLinkOptions, type LinkOptions } from './options.js';
import { relocateCode, relocateData } from './relocate.js';

/** BPF_F_NO_USER_CONV (include/uapi/linux/bpf.h). */
const NO_USER_CONV = 1 << 18;

/**
 * Puts the sections of an object in their places, resolves what refers to them, and decodes the instructions.
 *
 * @param object - of `loadObject`.
 * @throws VmError `EINVAL` for an unknown or invalid option, an object that defines an arena while none is given, a kfunc that is not
 *   there, `shared` where the host has no SharedArrayBuffer, and for a relocation that makes no sense; `EBUSY` for an object that defines
 *   two arenas; `ERANGE` for a variable beyond the arena, and for an arena beyond user space or across a multiple of 4 GiB; `E2BIG` for variables larger than the arena,
 *   an arena larger than 4 GiB, and more than 1,024 sections.
 * @example
 * ```ts
 * const program = link(loadObject(bytes), { arena: port, kfuncs: ['bpf_arena_alloc_pages'] });
 * ```
 */
export function link(object: BpfObject, options?: LinkOptions): LinkedProgram {
  const arenas = object.maps.filter(({ type }) => type === BPF_MAP_TYPE_ARENA);
  const [arenaMap, second] = arenas;
  if (second !== undefined) {
    const names = `${arenas[0]?.name ?? ''} and ${second.name}`;
    throw new VmError('EBUSY', `the object defines the arenas ${names}; a program has one`);
  }
  const checked = checkedLinkOptions(options, ((arenaMap?.flags ?? 0) & NO_USER_CONV) !== 0);
  requireArena(arenaMap, checked.arena, object);
  const layout = layoutOf(object, checked);
  const externs = linkedExterns(object, checked.kfuncs);
  const code = relocateCode(object, layout, externs);
  relocateData(object, layout);
  const functions = object.functions.map((one) => ({
    name: one.name,
    section: object.code[one.section]?.name ?? '',
    sectionStart: layout.codeStarts[one.section] as number,
    first: (layout.codeStarts[one.section] as number) + one.first,
    count: one.count,
    isProgram: one.isProgram,
  }));
  const decoded = decode({ code, functions, externs, arena: checked.arena });
  return {
    ...decoded,
    code,
    externs,
    maps: object.maps,
    regions: layout.regions,
    variables: linkedVariables(object, layout),
    data: layout.data,
    arena: checked.arena,
    arenaGlobals: layout.arenaGlobals,
    lines: object.lines,
    texts: object.btf?.texts.bytes ?? null,
  };
}

function requireArena(map: MapDefinition | undefined, arena: unknown, object: BpfObject): void {
  if (arena !== null) return;
  if (map !== undefined) {
    throw new VmError('EINVAL', `the object defines the arena ${map.name}, but none is given`, {
      advice: 'pass the option arena',
    });
  }
  if (object.data.some(({ isArena }) => isArena)) {
    throw new VmError('EINVAL', 'the object has variables in an arena, but none is given', {
      advice: 'pass the option arena',
    });
  }
}

function linkedExterns(object: BpfObject, there: ReadonlySet<string>): LinkedExtern[] {
  const missing = object.externs.filter(({ name, isWeak }) => !isWeak && !there.has(name));
  if (missing.length > 0) {
    const names = missing.slice(0, 5).map(({ name }) => name);
    throw new VmError('EINVAL', `the object needs ${names.join(', ')}, which the kernel does not have`, {
      advice: 'name it in the option kfuncs',
    });
  }
  return object.externs.map(({ name }) => {
    const tags: string[][] = [[], [], [], [], []];
    for (const [index, texts] of object.btf?.parameterTags(name) ?? []) tags[index]?.push(...texts);
    return { name, isThere: there.has(name), tags };
  });
}

function linkedVariables(object: BpfObject, layout: Layout): LinkedVariable[] {
  return object.variables.map(({ name, section, offset, size }) => {
    const place = layout.places[section] as DataPlace;
    const { isArena, name: sectionName } = object.data[section] as DataSection;
    return { name, section: sectionName, at: place.at + offset, bytes: size, isArena };
  });
}
