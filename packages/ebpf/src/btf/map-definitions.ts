import { VmError } from '@vmarea/core';
import type { Btf } from './btf.js';

/** A map that an object defines, as its BTF says. What it does not say is 0. */
export interface MapDefinition {
  readonly name: string;
  /** BPF_MAP_TYPE_…: 33 is an arena. */
  readonly type: number;
  readonly maxEntries: number;
  /** BPF_F_…: 0x400 is BPF_F_MMAPABLE, 0x40000 BPF_F_NO_USER_CONV. */
  readonly flags: number;
  /** Of an arena: where user space maps it, 0 for any place. */
  readonly extra: bigint;
  readonly keySize: number;
  readonly valueSize: number;
}

/** The type of an arena (include/uapi/linux/bpf.h). */
export const BPF_MAP_TYPE_ARENA = 33;

/** A program uses at most so many maps (MAX_USED_MAPS), and a definition has fewer members than that. */
const MOST = 64;

/**
 * Reads the definitions of the section `.maps`: each variable is a struct whose members are numbers.
 *
 * @throws VmError `E2BIG` for more than 64 maps or members.
 */
export function mapDefinitions(btf: Btf): MapDefinition[] {
  const variables = btf.variables('.maps');
  if (variables.length > MOST)
    throw new VmError('E2BIG', `there are ${variables.length} maps, expected at most ${MOST}`);
  return variables.map(({ name, type }) => {
    const found = new Map<string, bigint>();
    const members = btf.membersOf(type) ?? [];
    if (members.length > MOST) {
      throw new VmError('E2BIG', `the map ${name} has ${members.length} members, expected at most ${MOST}`);
    }
    for (const member of members) {
      const value = btf.numberOf(member.type);
      if (value !== null) found.set(member.name, value);
    }
    const number = (member: string): number => Number(BigInt.asUintN(32, found.get(member) ?? 0n));
    return {
      name,
      type: number('type'),
      maxEntries: number('max_entries'),
      flags: number('map_flags'),
      extra: found.get('map_extra') ?? 0n,
      keySize: number('key_size'),
      valueSize: number('value_size'),
    };
  });
}
