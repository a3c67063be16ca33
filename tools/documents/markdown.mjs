// The little of Markdown that tells what in a document is code.

/**
 * A fenced block. `line` is that of its first line of code.
 *
 * @typedef {{ language: string, text: string, line: number }} Block
 * @typedef {{ text: string, line: number }} Code
 */

const FENCED = /^```(\w*).*\n([\s\S]*?)^```$/gm;

/**
 * The fenced blocks of a text, in order.
 *
 * @param {string} text
 * @returns {Block[]}
 */
export function blocksOf(text) {
  return [...text.matchAll(FENCED)].map(({ 1: language = '', 2: body = '', index }) => ({
    language,
    text: body,
    line: lineAt(text, index) + 1,
  }));
}

/**
 * The lines of a shell block, without comments.
 *
 * @param {Block} block
 * @returns {Code[]}
 */
export function linesOf({ text, line }) {
  return text
    .split('\n')
    .map((command, index) => ({ text: command.replace(/(^|\s)#.*$/, '').trim(), line: line + index }))
    .filter((command) => command.text !== '');
}

/**
 * Code within paragraphs and tables. A table writes `|` as `\|`.
 *
 * @param {string} text
 * @returns {Code[]}
 */
export function inlineOf(text) {
  const rest = text.replace(FENCED, (block) => block.replace(/[^\n]/g, ''));
  return [...rest.matchAll(/`((?:[^`\n]|\n(?!\n))+)`/g)].map(({ 1: code = '', index }) => ({
    text: code.replace(/\s+/g, ' ').replaceAll('\\|', '|').trim(),
    line: lineAt(rest, index),
  }));
}

/**
 * @param {string} text
 * @param {number} index
 */
function lineAt(text, index) {
  return text.slice(0, index).split('\n').length;
}
