import { type Console, commandOf, type Program, runProgram, versionIn } from '@vmarea/cli';
import { appRoot } from './app-root.js';
import { arenaArguments } from './arena/arguments.js';
import { runArena } from './arena/command.js';
import { checked } from './checked.js';
import { layoutArguments, runLayout } from './layout/command.js';
import { mmuArguments, runMmu } from './mmu/command.js';
import { replayArguments, runReplay } from './replay/command.js';
import { runSimulate, simulateArguments } from './simulate/command.js';
import { speedArguments } from './speed/arguments.js';
import { runSpeed } from './speed/command.js';
import { answerJob, JOB_COMMAND } from './speed/processes.js';
import { runWorkload } from './workload/command.js';
import { workloadArguments } from './workload/parameters.js';

const PROGRAM: Program = {
  name: 'vmarea-bench',
  version: versionIn(appRoot()),
  description: 'Compare page-table formats on real input',
  commands: {
    layout: commandOf(
      'layout',
      'Rebuild the vm areas of a real kernel in every format and show what they cost',
      layoutArguments,
      checked(runLayout),
    ),
    speed: commandOf('speed', 'Time the same work in every format and in C', speedArguments, runSpeed),
    mmu: commandOf(
      'mmu',
      'Compare the formats with the MMU of QEMU, on built and random tables',
      mmuArguments,
      runMmu,
    ),
    replay: commandOf(
      'replay',
      'Repeat every decision of a recorded kernel, and compare the results',
      replayArguments,
      runReplay,
    ),
    workload: commandOf(
      'workload',
      "Run the cases of Linux's lib/test_vmalloc.c in every format, with one worker",
      workloadArguments,
      checked(runWorkload),
    ),
    simulate: commandOf(
      'simulate',
      "Run a program's memory accesses through the TLBs of other processors and formats",
      simulateArguments,
      checked(runSimulate),
    ),
    arena: commandOf(
      'arena',
      'Time the calls of a BPF arena in each format',
      arenaArguments,
      checked(runArena),
    ),
  },
  hidden: ([first, job = ''], io) => (first === JOB_COMMAND ? answerJob(job, io) : null),
};

/** Runs the command line and returns its exit code; see `runProgram`. */
export function run(rawArgs: readonly string[], io: Console): Promise<number> {
  return runProgram(PROGRAM, rawArgs, io);
}
