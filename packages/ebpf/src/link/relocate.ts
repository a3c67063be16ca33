import { VmError, words } from '@vmarea/core';
import { CALL_OPCODE, LDIMM64, PSEUDO_CALL, PSEUDO_KFUNC_CALL } from '../isa/codes.js';
import { INSTRUCTION_BYTES, Instructions } from '../isa/instructions.js';
import type { BpfObject, CodeSection, DataSection, Relocation } from '../object/bpf-object.js';
import {
  CODE_REGION,
  EXTERN_REGION,
  HANDLE_BYTES,
  MAP_REGION,
  REGION_START,
  regionWord,
} from './addresses.js';
import type { DataPlace, Layout } from './layout.js';
import type { LinkedExtern } from './linked-program.js';

// Types of relocations: LLVM's BPF.def, and Linux's Documentation/bpf/llvm_reloc.rst.
const R_BPF_64_64 = 1;
const R_BPF_64_ABS64 = 2;
const R_BPF_64_32 = 10;

/** An address in two words, signed. */
interface Address {
  readonly hi: number;
  readonly lo: number;
}

/**
 * The instructions of all sections in one run, with their relocations done: LDIMM64 has its value, a call of a subprogram the distance in
 * instructions, a call of the kernel the index of the extern.
 *
 * @throws VmError `EINVAL` for a relocation that makes no sense; `ERANGE` for a variable beyond the arena.
 */
export function relocateCode(
  object: BpfObject,
  layout: Layout,
  externs: readonly LinkedExtern[],
): Uint8Array {
  const all = new Uint8Array(layout.codeCount * INSTRUCTION_BYTES);
  const code = new Instructions(all);
  for (const [index, section] of object.code.entries()) {
    const start = layout.codeStarts[index] as number;
    all.set(section.bytes, start * INSTRUCTION_BYTES);
  }
  for (const [index, section] of object.code.entries()) {
    const start = layout.codeStarts[index] as number;
    const last = start + section.bytes.length / INSTRUCTION_BYTES - 1;
    for (const relocation of section.relocations) {
      if (relocation.offset % INSTRUCTION_BYTES !== 0)
        throw refuse(relocation, section, 'is within an instruction');
      const at = start + relocation.offset / INSTRUCTION_BYTES;
      if (relocation.type === R_BPF_64_32) relocateCall(code, at, relocation, section, layout);
      else if (relocation.type === R_BPF_64_64 && code.opcode(at) === LDIMM64 && at < last) {
        relocateWide(code, at, relocation, section, layout, externs);
      } else
        throw refuse(relocation, section, `has type ${relocation.type}, which does not fit the instruction`);
    }
  }
  return all;
}

/** Variables that hold addresses of others: `int *p = &x;`. libbpf leaves them 0. */
export function relocateData(object: BpfObject, layout: Layout): void {
  for (const [index, section] of object.data.entries()) {
    const place = layout.places[index] as DataPlace;
    const bytes = section.isArena
      ? layout.arenaGlobals?.bytes
      : new Uint8Array(layout.data, place.at, section.size);
    if (bytes === undefined) continue;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (const relocation of section.relocations) {
      if (relocation.type !== R_BPF_64_ABS64)
        throw refuse(relocation, section, `has type ${relocation.type}, expected 2`);
      if (relocation.offset + 8 > bytes.length)
        throw refuse(relocation, section, 'is at the end of the section');
      const addend = view.getInt32(relocation.offset, true);
      const { hi, lo } = addressOf(relocation, section, layout, addend);
      view.setInt32(relocation.offset, lo, true);
      view.setInt32(relocation.offset + 4, hi, true);
    }
  }
}

/** A call's distance is from the start of the symbol's section, in instructions, as the compiler wrote it. */
function relocateCall(
  code: Instructions,
  at: number,
  relocation: Relocation,
  section: CodeSection,
  layout: Layout,
): void {
  const { target } = relocation;
  if (code.opcode(at) !== CALL_OPCODE || code.src(at) !== PSEUDO_CALL)
    throw refuse(relocation, section, 'is at no call');
  if (target.kind === 'extern') {
    code.setSrc(at, PSEUDO_KFUNC_CALL);
    code.setImm(at, target.index);
  } else if (target.kind === 'code') {
    const callee =
      (layout.codeStarts[target.index] as number) + target.offset / INSTRUCTION_BYTES + code.imm(at) + 1;
    code.setImm(at, callee - at - 1);
  } else throw refuse(relocation, section, `calls a ${target.kind}`);
}

function relocateWide(
  code: Instructions,
  at: number,
  relocation: Relocation,
  section: CodeSection,
  layout: Layout,
  externs: readonly LinkedExtern[],
): void {
  const { target } = relocation;
  const addend = code.imm(at);
  let address: Address;
  if (target.kind === 'map') address = handle(MAP_REGION, target.index);
  else if (target.kind === 'extern') {
    // A weak function that is not there is 0: programs ask for that.
    address =
      externs[target.index]?.isThere === true ? handle(EXTERN_REGION, target.index) : { hi: 0, lo: 0 };
  } else address = addressOf(relocation, section, layout, addend);
  code.setSrc(at, 0);
  code.setImm(at, address.lo);
  code.setImm(at + 1, address.hi);
}

/** Where a function or a variable is. */
function addressOf(
  relocation: Relocation,
  section: CodeSection | DataSection,
  layout: Layout,
  addend: number,
): Address {
  const { target } = relocation;
  if (target.kind === 'code') {
    const bytes = target.offset + addend;
    if (bytes < 0 || bytes % INSTRUCTION_BYTES !== 0)
      throw refuse(relocation, section, 'names the middle of an instruction');
    return handle(CODE_REGION, (layout.codeStarts[target.index] as number) + bytes / INSTRUCTION_BYTES);
  }
  if (target.kind !== 'data')
    throw refuse(relocation, section, `refers to a ${target.kind}, which has no address here`);
  const { region, at } = layout.places[target.index] as DataPlace;
  if (region < 0) return arenaAddress(layout, at + target.offset + addend);
  return { hi: regionWord(region), lo: (REGION_START + target.offset + addend) | 0 };
}

/** As Linux's `arena_map_direct_value_addr`: an offset at the end of the arena or beyond is refused. */
function arenaAddress({ userVmStart, arenaBytes }: Layout, offset: number): Address {
  const address = userVmStart + BigInt(offset);
  if (offset >= 0 && offset < arenaBytes) return words(address);
  throw new VmError('ERANGE', `a variable is at ${offset} in an arena of ${arenaBytes} bytes`, { address });
}

function handle(region: number, index: number): Address {
  return { hi: regionWord(region), lo: REGION_START + index * HANDLE_BYTES };
}

function refuse(relocation: Relocation, section: { readonly name: string }, why: string): VmError {
  return new VmError(
    'EINVAL',
    `the relocation at byte ${relocation.offset} of section ${section.name} ${why}`,
  );
}
