import { readFileSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';
import { printable, VmError } from '@vmarea/core';
import { type ArgsDef, type CommandDef, defineCommand, parseArgs, renderUsage } from 'citty';
import { appFile } from './app-root.js';
import { type ArenaArguments, arenaArguments } from './arena/arguments.js';
import { runArena } from './arena/command.js';
import { type Console, coloursFor, type Sink } from './console.js';
import { EXIT_INTERNAL, EXIT_OK, ExitError, UsageError } from './errors.js';
import { type LayoutArguments, layoutArguments, runLayout } from './layout/command.js';
import { type MmuArguments, mmuArguments, runMmu } from './mmu/command.js';
import { strictArguments, unknown } from './options.js';
import { type ReplayArguments, replayArguments, runReplay } from './replay/command.js';
import { runSimulate, type SimulateArguments, simulateArguments } from './simulate/command.js';
import { type SpeedArguments, speedArguments } from './speed/arguments.js';
import { runSpeed } from './speed/command.js';
import { answerJob, JOB_COMMAND } from './speed/processes.js';
import { runWorkload } from './workload/command.js';
import { type WorkloadArguments, workloadArguments } from './workload/parameters.js';

const version = (JSON.parse(readFileSync(appFile('package.json'), 'utf8')) as { version: string }).version;

const layout = defineCommand({
  meta: {
    name: 'layout',
    description: 'Rebuild the vm areas of a real kernel in every format and show what they cost',
  },
  args: layoutArguments as ArgsDef,
});

const speed = defineCommand({
  meta: { name: 'speed', description: 'Time the same work in every format and in C' },
  args: speedArguments as ArgsDef,
});

const mmu = defineCommand({
  meta: { name: 'mmu', description: 'Compare the formats with the MMU of QEMU, on built and random tables' },
  args: mmuArguments as ArgsDef,
});

const replay = defineCommand({
  meta: {
    name: 'replay',
    description: 'Repeat every decision of a recorded kernel, and compare the results',
  },
  args: replayArguments as ArgsDef,
});

const workload = defineCommand({
  meta: {
    name: 'workload',
    description: "Run the cases of Linux's lib/test_vmalloc.c in every format, with one worker",
  },
  args: workloadArguments as ArgsDef,
});

const simulate = defineCommand({
  meta: {
    name: 'simulate',
    description: "Run a program's memory accesses through the TLBs of other processors and formats",
  },
  args: simulateArguments as ArgsDef,
});

const arena = defineCommand({
  meta: { name: 'arena', description: 'Time the calls of a BPF arena in each format' },
  args: arenaArguments as ArgsDef,
});

const main = defineCommand({
  meta: { name: 'vmarea-bench', version, description: 'Compare page-table formats on real input' },
  subCommands: { layout, speed, mmu, replay, workload, simulate, arena },
});

/** A subcommand: its definition, and the function that runs it with checked arguments. */
interface Command {
  readonly command: CommandDef;
  readonly run: (rawArgs: string[], io: Console) => Promise<void>;
}

const COMMANDS: Readonly<Record<string, Command>> = {
  layout: {
    command: layout,
    run: (rawArgs, io) => runLayout(parseArgs(rawArgs, layoutArguments) as LayoutArguments, io),
  },
  speed: {
    command: speed,
    run: (rawArgs, io) => runSpeed(parseArgs(rawArgs, speedArguments) as SpeedArguments, io),
  },
  mmu: {
    command: mmu,
    run: (rawArgs, io) => runMmu(parseArgs(rawArgs, mmuArguments) as MmuArguments, io),
  },
  replay: {
    command: replay,
    run: (rawArgs, io) => runReplay(parseArgs(rawArgs, replayArguments) as unknown as ReplayArguments, io),
  },
  workload: {
    command: workload,
    run: (rawArgs, io) => runWorkload(parseArgs(rawArgs, workloadArguments) as WorkloadArguments, io),
  },
  simulate: {
    command: simulate,
    run: (rawArgs, io) => runSimulate(parseArgs(rawArgs, simulateArguments) as SimulateArguments, io),
  },
  arena: {
    command: arena,
    run: (rawArgs, io) => runArena(parseArgs(rawArgs, arenaArguments) as ArenaArguments, io),
  },
};

/**
 * Runs the command line and returns its exit code. It writes results to standard output and all else to standard
 * error. It never throws.
 *
 * @param rawArgs - the arguments after the program's name.
 */
export async function run(rawArgs: readonly string[], io: Console): Promise<number> {
  try {
    await dispatch(rawArgs, io);
    return EXIT_OK;
  } catch (error) {
    const red = coloursFor(io.stderr, io.env).red;
    if (error instanceof ExitError) {
      io.stderr.write(`${red('vmarea-bench:')} ${error.message}\n`);
      return error.exitCode;
    }
    const what =
      error instanceof VmError || !(error instanceof Error) ? String(error) : (error.stack ?? error.message);
    io.stderr.write(`${red('vmarea-bench: internal error:')} ${what}\n`);
    return EXIT_INTERNAL;
  }
}

async function dispatch(rawArgs: readonly string[], io: Console): Promise<void> {
  const [first, ...rest] = rawArgs;
  if (first === undefined) return help(io, main);
  if (first === JOB_COMMAND) return answerJob(rest[0] ?? '', io);
  if (isHelp(first) || first === 'help') return helpFor(rest, io);
  if (first === '--version' || first === '-v') {
    if (rest[0] !== undefined) throw surplus(rest[0], first);
    io.stdout.write(`${version}\n`);
    return;
  }
  const chosen = commandOf(first);
  if (rest.some(isHelp)) return help(io, chosen.command, main);
  await chosen.run(strictArguments(rest, chosen.command.args as ArgsDef), io);
}

/** Prints the help of the program, or that of one command. */
function helpFor([name, more]: readonly string[], io: Console): Promise<void> {
  if (more !== undefined) throw surplus(more, `help ${name}`);
  return name === undefined ? help(io, main) : help(io, commandOf(name).command, main);
}

function surplus(argument: string, before: string): UsageError {
  return new UsageError(`unexpected argument '${printable(argument)}' after ${printable(before)}`);
}

/**
 * Finds a command by its name.
 *
 * @throws UsageError for an unknown name, with the nearest known one.
 */
function commandOf(name: string): Command {
  const names = Object.keys(COMMANDS);
  const chosen = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (chosen !== undefined) return chosen;
  if (!name.startsWith('-')) throw unknown('command', name, names);
  const { message } = unknown('option', name, ['--help', '--version']);
  throw new UsageError(`${message}\nCommands: ${names.join(', ')}`);
}

function isHelp(argument: string): boolean {
  return argument === '--help' || argument === '-h';
}

async function help(
  io: { stdout: Sink; env: Console['env'] },
  command: CommandDef,
  parent?: CommandDef,
): Promise<void> {
  const usage = await renderUsage(command, parent);
  const coloured = coloursFor(io.stdout, io.env).isColorSupported;
  io.stdout.write(`${coloured ? usage : stripVTControlCharacters(usage)}\n`);
}
