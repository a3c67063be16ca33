import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../support/run.mjs';
import { blocksOf, inlineOf, linesOf } from './markdown.mjs';

/**
 * A command that a document tells its readers to run. `shown` is what it prints, where the document says that.
 *
 * @typedef {{ text: string, file: string, line: number, shown?: string }} Command
 */

/** Languages of blocks whose every line is a command. */
const SHELL = ['sh', 'bash', 'console', 'shell'];

/** Text that starts a program, perhaps with variables before it. A program's name alone is a name. */
const COMMAND = /^(?:[A-Z_]+=\S+ )*(?:(?:npm|npx|node|pnpm|git|sudo|vmarea-bench|vmarea-inspect) \S|\.ci\/)/;

/** The documents, by their paths in the repository. */
export function documents() {
  const packages = ['packages', 'apps'].flatMap((group) =>
    readdirSync(join(root, group)).map((name) => `${group}/${name}`),
  );
  return ['.', '.changeset', 'docs', 'examples', ...packages]
    .flatMap((folder) => readdirSync(join(root, folder)).map((name) => join(folder, name)))
    .filter((file) => file.endsWith('.md') && (!file.startsWith('.changeset') || file.endsWith('README.md')))
    .filter((file) => existsSync(join(root, file)))
    .sort();
}

/** Every command of every document. */
export function allCommands() {
  return documents().flatMap((file) => commandsIn(file, readFileSync(join(root, file), 'utf8')));
}

/**
 * The commands of a document: all lines of shell blocks, and code in blocks of no language or within text that starts a program.
 *
 * @param {string} file
 * @param {string} text
 * @returns {Command[]}
 */
export function commandsIn(file, text) {
  const blocks = blocksOf(text);
  return [
    ...blocks.flatMap((block, index) => (isShell(block) ? withOutput(block, blocks[index + 1]) : [])),
    ...blocks
      .filter(({ language }) => language === '')
      .flatMap(linesOf)
      .filter(isCommand),
    ...inlineOf(text).filter(isCommand),
  ]
    .map((command) => ({ ...command, file }))
    .sort((a, b) => a.line - b.line);
}

/** @param {import('./markdown.mjs').Block} block */
function isShell({ language }) {
  return SHELL.includes(language);
}

/**
 * The commands of a shell block. What the last one prints is in the block of the language `text` that follows at once.
 *
 * @param {import('./markdown.mjs').Block} block
 * @param {import('./markdown.mjs').Block | undefined} next
 * @returns {{ text: string, line: number, shown?: string }[]}
 */
function withOutput(block, next) {
  const commands = linesOf(block);
  const last = commands.at(-1);
  // The fence that ends the block, an empty line, and the fence that begins the next one.
  const follows = block.line + block.text.split('\n').length - 1 + 3;
  if (last === undefined || next?.language !== 'text' || next.line > follows) return commands;
  return [...commands.slice(0, -1), { ...last, shown: next.text }];
}

/** @param {{ text: string }} code */
function isCommand({ text }) {
  return COMMAND.test(text);
}
