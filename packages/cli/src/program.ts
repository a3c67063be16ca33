import { stripVTControlCharacters } from 'node:util';
import { printable, VmError } from '@vmarea/core';
import { type ArgsDef, type CommandDef, defineCommand, parseArgs, renderUsage } from 'citty';
import { type Console, coloursFor, type Sink } from './console.js';
import { EXIT_INTERNAL, EXIT_OK, ExitError, UsageError } from './errors.js';
import { strictArguments, unknown } from './options.js';

/** A subcommand: its definition, and the function that runs it. */
export interface Command {
  readonly definition: CommandDef;
  readonly run: (rawArgs: string[], io: Console) => Promise<void>;
  /** Command lines that its help shows. */
  readonly examples: readonly string[];
}

/**
 * A subcommand.
 *
 * @param run - gets the arguments, checked against the definition.
 * @param examples - command lines that its help shows. Default: none.
 */
export function commandOf<Values>(
  name: string,
  description: string,
  args: ArgsDef,
  run: (values: Values, io: Console) => Promise<void>,
  examples: readonly string[] = [],
): Command {
  const definition = defineCommand({ meta: { name, description }, args });
  return { definition, run: (rawArgs, io) => run(parseArgs(rawArgs, args) as Values, io), examples };
}

/** A program with subcommands. */
export interface Program {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly commands: Readonly<Record<string, Command>>;
  /** Runs a first argument that is no subcommand for people. Returns `null` for any other. */
  readonly hidden?: (rawArgs: readonly string[], io: Console) => Promise<void> | null;
}

/**
 * Runs the command line and returns its exit code. It writes results to standard output and all else to standard
 * error. It never throws.
 *
 * @param rawArgs - the arguments after the program's name.
 */
export async function runProgram(program: Program, rawArgs: readonly string[], io: Console): Promise<number> {
  try {
    await dispatch(program, rawArgs, io);
    return EXIT_OK;
  } catch (error) {
    const { red } = coloursFor(io.stderr, io.env);
    if (error instanceof ExitError) {
      io.stderr.write(`${red(`${program.name}:`)} ${error.message}\n`);
      return error.exitCode;
    }
    const what =
      error instanceof VmError || !(error instanceof Error) ? String(error) : (error.stack ?? error.message);
    io.stderr.write(`${red(`${program.name}: internal error:`)} ${what}\n`);
    return EXIT_INTERNAL;
  }
}

async function dispatch(program: Program, rawArgs: readonly string[], io: Console): Promise<void> {
  const [first, ...rest] = rawArgs;
  const main = mainOf(program);
  if (first === undefined) return help(io, main);
  const hidden = program.hidden?.(rawArgs, io) ?? null;
  if (hidden !== null) return hidden;
  if (isHelp(first) || first === 'help') return helpFor(program, rest, io);
  if (first === '--version' || first === '-v') {
    if (rest[0] !== undefined) throw surplus(rest[0], first);
    io.stdout.write(`${program.version}\n`);
    return;
  }
  const command = findCommand(program, first);
  const { definition, run } = command;
  if (rest.some(isHelp)) return help(io, definition, main, command.examples);
  await run(strictArguments(rest, definition.args as ArgsDef), io);
}

function mainOf({ name, version, description, commands }: Program): CommandDef {
  const subCommands = Object.fromEntries(
    Object.entries(commands).map(([key, { definition }]) => [key, definition]),
  );
  return defineCommand({ meta: { name, version, description }, subCommands });
}

/** Prints the help of the program, or that of one command. */
function helpFor(program: Program, [name, more]: readonly string[], io: Console): Promise<void> {
  if (more !== undefined) throw surplus(more, `help ${name}`);
  const main = mainOf(program);
  if (name === undefined) return help(io, main);
  const { definition, examples } = findCommand(program, name);
  return help(io, definition, main, examples);
}

function surplus(argument: string, before: string): UsageError {
  return new UsageError(`unexpected argument '${printable(argument)}' after ${printable(before)}`);
}

/**
 * Finds a command by its name.
 *
 * @throws UsageError for an unknown name, with the nearest known one.
 */
function findCommand({ commands }: Program, name: string): Command {
  const names = Object.keys(commands);
  const chosen = Object.hasOwn(commands, name) ? commands[name] : undefined;
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
  examples: readonly string[] = [],
): Promise<void> {
  const usage = await renderUsage(command, parent);
  const { isColorSupported, bold, underline } = coloursFor(io.stdout, io.env);
  io.stdout.write(`${isColorSupported ? usage : stripVTControlCharacters(usage)}\n`);
  if (examples.length === 0) return;
  const lines = examples.map((line) => `  ${line}`).join('\n');
  io.stdout.write(`${underline(bold('EXAMPLES'))}\n\n${lines}\n\n`);
}
