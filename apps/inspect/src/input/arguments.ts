import type { ArgsDef, StringArgDef } from 'citty';
import { MACHINES } from '../machines/machines.js';

/** The dump of a command. */
export const DUMP_ARGUMENTS: ArgsDef = {
  file: {
    type: 'positional',
    valueHint: 'FILE',
    description: 'A memory dump: an ELF core, kdump, LiME, AVML or PTIMAGE1; raw memory with --map',
  },
  parts: {
    type: 'string',
    valueHint: 'FILE[,FILE]',
    description: 'The other files of a split kdump, in any order',
  },
  map: {
    type: 'string',
    valueHint: 'PHYSICAL[:OFFSET[:BYTES]][,…]',
    description: 'The file is raw memory: where its pieces are. 0 for one piece from address 0 on',
  },
  vmcoreinfo: {
    type: 'string',
    valueHint: 'FILE',
    description: 'The text of VMCOREINFO, where the dump has none',
  },
  scan: {
    type: 'string',
    valueHint: 'WHEN',
    description: 'Whether all memory is looked through for roots: needed, always or never. Default: needed',
  },
  json: { type: 'boolean', description: 'Print JSON: one document, or one line for each row' },
};

/** Registers that name a root. */
const REGISTERS = Object.fromEntries(
  MACHINES.flatMap(({ name: machine, roots, others }) =>
    [...roots, ...others].map((name): [string, StringArgDef] => [
      name,
      {
        type: 'string',
        valueHint: 'VALUE',
        description: `Register of ${machine}${roots.includes(name) ? ': the root' : ''}`,
      },
    ]),
  ),
);

/** The root of a command. */
export const ROOT_ARGUMENTS: ArgsDef = {
  root: {
    type: 'string',
    valueHint: 'ROOT',
    description:
      'A number of info, a role (kernel, process, user), or a physical address with 0x. Default: the best one',
  },
  format: {
    type: 'string',
    valueHint: 'NAME',
    description: 'The format, where nothing else says it, such as arm64-4k-48',
  },
  ...REGISTERS,
};

/** A range of virtual addresses. */
export const RANGE_ARGUMENT: ArgsDef = {
  va: {
    type: 'string',
    valueHint: 'RANGE',
    description: 'Only these addresses: FIRST, FIRST-LAST or FIRST+BYTES. Default: all',
  },
};

/** What all commands on a dump get: text, but for flags. */
export interface DumpValues {
  readonly file?: string;
  readonly parts?: string;
  readonly map?: string;
  readonly vmcoreinfo?: string;
  readonly scan?: string;
  readonly json?: boolean;
  /** All positional arguments. */
  readonly _: readonly string[];
}

/** What commands on a root get. */
export interface RootValues extends DumpValues {
  readonly root?: string;
  readonly format?: string;
  /** Registers by name. */
  readonly [register: string]: unknown;
}

/** What commands on a range of a root get. */
export interface RangeValues extends RootValues {
  readonly va?: string;
}
