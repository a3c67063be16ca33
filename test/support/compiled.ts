import { join } from 'node:path';
import ts from 'typescript';
import { root } from '../../tools/support/run.mjs';

/** A piece as a program. What stands around it is in its own scope, so that the piece may give a name again. */
export function inside(around: string, piece: string): string {
  return /^import /m.test(piece) ? piece : `${around}\nexport async function piece() {\n${piece}\n}\n`;
}

/**
 * What the compiler says of programs, but for names that nobody uses.
 *
 * @param from - where each program comes from, for what is said of it.
 */
export function mistakesIn(
  programs: readonly string[],
  more: ts.CompilerOptions = {},
  from: readonly { readonly file: string }[] = [],
): string[] {
  const files = new Map(programs.map((text, index) => [join(root, `test/fragment-${index}.ts`), text]));
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  const paths = { ...options.paths, '@vmarea/inspect': ['./apps/inspect/src/index.ts'] };
  Object.assign(options, { noUnusedLocals: false, noUnusedParameters: false, paths, ...more });
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile } = host;
  host.fileExists = (name) => files.has(name) || fileExists(name);
  host.readFile = (name) => files.get(name) ?? readFile(name);
  host.getSourceFile = (name, target) => {
    const text = files.get(name);
    return text === undefined ? getSourceFile(name, target) : ts.createSourceFile(name, text, target);
  };
  const program = ts.createProgram([...files.keys()], options, host);
  return [...files.keys()].flatMap((name, index) => {
    const origin = from[index] === undefined ? '' : `${from[index].file}: `;
    const source = program.getSourceFile(name);
    const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
    return found.map(({ messageText }) => origin + ts.flattenDiagnosticMessageText(messageText, ' '));
  });
}
