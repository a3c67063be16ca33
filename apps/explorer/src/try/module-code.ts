/** A program as a function body: its imports are members of `modules`. Lines keep their numbers. */
export interface ModuleCode {
  readonly body: string;
  readonly imports: readonly Import[];
}

/** What a program imports of a package. */
export interface Import {
  readonly from: string;
  /** Names in the package; `null` for all of it. */
  readonly names: readonly string[] | null;
}

const IMPORT = /^[ \t]*import\s+(type\s+)?(\{[^}]*\}|\*\s+as\s+[\w$]+)\s+from\s+(['"])([^'"\n]+)\3[ \t]*;?/gm;

/**
 * Makes the imports of a program ordinary statements.
 *
 * @throws Error for an import of another form, or of a package that is not there. The message says which.
 */
export function moduleCode(code: string, known: readonly string[]): ModuleCode {
  const imports: Import[] = [];
  const body = code.replace(IMPORT, (text, isType: string | undefined, names: string, _, name: string) => {
    const lines = '\n'.repeat(text.split('\n').length - 1);
    if (isType !== undefined) return lines;
    if (!known.includes(name))
      throw new Error(`there is no package ${name} here: there are ${known.join(', ')}`);
    const from = `modules[${JSON.stringify(name)}]`;
    if (names.startsWith('*')) {
      imports.push({ from: name, names: null });
      return `const ${names.replace(/^\*\s+as\s+/, '')} = ${from};${lines}`;
    }
    const members = names.replace(/\btype\s+[\w$]+\s*,?/g, '').replace(/\s+as\s+/g, ': ');
    imports.push({
      from: name,
      names: [...members.matchAll(/([\w$]+)(?:: [\w$]+)?/g)].map(([, one = '']) => one),
    });
    return `const ${members.replace(/\n/g, ' ')} = ${from};${lines}`;
  });
  const other = /^[ \t]*(?:import\s*['"{*\w].*|export\s.*)$/m.exec(body)?.[0];
  if (other !== undefined)
    throw new Error(`this line is not understood: ${other.trim()}: write import { names } from 'package'`);
  return { body, imports };
}

/** Lines that the engine puts before the body of a function that is made from text. */
const HEADER = 2;

/** The line of a program that a stack names last; `null` when there is none. */
export function lineOf(stack: string | undefined): number | null {
  const found = /(?:<anonymous>|AsyncFunction|Function|anonymous):(\d+):\d+/.exec(
    (stack ?? '').replace(/\(eval at .*?\), /g, ''),
  );
  const line = Number(found?.[1] ?? 0) - HEADER;
  return line > 0 ? line : null;
}
