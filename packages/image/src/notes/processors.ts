import { type NoteBytes, quad } from './elf-notes.js';

/** A processor as a dump describes it: where that is from, and its registers by name in lower case. */
export interface ProcessorState {
  /** `QEMU`, `VirtualBox`, or `header`. */
  readonly source: string;
  readonly registers: ReadonlyMap<string, bigint>;
}

/** A note with registers: who writes it, its number, how long it is at least, and where in it each register is. */
interface NoteLayout {
  readonly source: string;
  readonly owner: RegExp;
  readonly type: number;
  /** ELF's number of the machine that writes such notes. */
  readonly machine: number;
  readonly fields: readonly (readonly [name: string, offset: number])[];
}

const EM_X86_64 = 62;

/**
 * Notes that have the registers which decide how a processor translates. Those of arm64 and riscv64 have none.
 *
 * Source: QEMU target/i386/arch_dump.c, QEMUCPUState; VirtualBox include/VBox/vmm/dbgfcorefmt.h, DBGFCORECPU.
 */
const LAYOUTS: readonly NoteLayout[] = [
  {
    source: 'QEMU',
    owner: /^QEMU$/,
    type: 0,
    machine: EM_X86_64,
    fields: [
      ...([
        ['rsp', 56],
        ['rip', 136],
        ['rflags', 144],
      ] as const),
      ...([
        ['cr0', 392],
        ['cr2', 408],
        ['cr3', 416],
        ['cr4', 424],
      ] as const),
    ],
  },
  {
    source: 'VirtualBox',
    owner: /^VB/,
    type: 0xb01,
    machine: EM_X86_64,
    fields: [
      ...([
        ['rip', 112],
        ['rsp', 120],
        ['rflags', 136],
      ] as const),
      ...([
        ['cr0', 288],
        ['cr2', 296],
        ['cr3', 304],
        ['cr4', 312],
        ['efer', 488],
      ] as const),
    ],
  },
];

/** The processors that notes describe. A note that is too short is none. */
export function processorsIn(notes: readonly NoteBytes[]): ProcessorState[] {
  return notes.flatMap((note) => {
    const layout = layoutOf(note);
    if (layout === undefined) return [];
    const registers = layout.fields.map(([name, offset]) => [name, quad(note, offset)] as const);
    if (registers.some(([, value]) => value === null)) return [];
    return [{ source: layout.source, registers: new Map(registers as [string, bigint][]) }];
  });
}

/** The machine whose notes are among some: ELF's number; `null` when none is of one machine alone. */
export function machineOfNotes(notes: readonly NoteBytes[]): number | null {
  for (const note of notes) {
    const layout = layoutOf(note);
    if (layout !== undefined) return layout.machine;
  }
  return null;
}

function layoutOf({ name, type }: NoteBytes): NoteLayout | undefined {
  return LAYOUTS.find((layout) => layout.type === type && layout.owner.test(name));
}
