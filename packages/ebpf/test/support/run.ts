import {
  Interpreter,
  type InterpreterOptions,
  type LinkOptions,
  link,
  loadObject,
  type RunResult,
} from '../../src/index.js';
import { codeOf, type Raw } from './code.js';
import { programOf } from './write-elf.js';

/** Runs instructions as the program `main`. */
export function runCode(
  list: readonly Raw[],
  options: {
    link?: LinkOptions;
    interpreter?: InterpreterOptions;
    budget?: number;
    context?: Uint8Array;
  } = {},
): RunResult {
  const program = link(loadObject(programOf(codeOf(...list))), options.link);
  const { budget, context } = options;
  return new Interpreter(program, options.interpreter).run('main', {
    ...(budget === undefined ? {} : { budget }),
    ...(context === undefined ? {} : { context }),
  });
}

/** What a run ends with: the kind of its fault and the first line of the message. */
export function faultOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    const { kind, message } = error as { kind?: string; message: string };
    return `${kind}: ${message.split('\n')[0]}`;
  }
  return 'done';
}
