import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { blocksOf } from '../tools/documents/markdown.mjs';
import { packagesWithCalls } from '../tools/site/pages.mjs';
import { root } from '../tools/support/run.mjs';
import { mistakesIn } from './support/compiled.js';
import { ANY, APART, AROUND } from './support/doc-names.js';

const packages = packagesWithCalls();

/** Every example that the reference shows. `own` is the package that shows it. */
const examples = packages.flatMap(({ folder, name: own }) =>
  readdirSync(join(root, folder, 'src'), { recursive: true, encoding: 'utf8' })
    .map((file) => `${folder}/src/${file}`)
    .filter((file) => file.endsWith('.ts'))
    .sort()
    .flatMap((file) => examplesIn(file).map((text) => ({ file, own, text }))),
);

const compiled = examples.filter(({ file }) => !APART.includes(file));

test(`${compiled.length} of ${examples.length} examples in doc comments compile; the others are no whole programs`, () => {
  expect(compiled.length).toBeGreaterThan(110);
  const exported = exportsOfAll();
  const programs = compiled.map(({ own, text }) => {
    const names = new Set(text.match(/\b[A-Za-z_]\w*\b/g));
    const lines = [...names].map((name) => {
      const type = AROUND[name] ?? (ANY.includes(name) ? 'any' : undefined);
      if (type !== undefined) return `declare const ${name}: ${type};`;
      const from = exported.get(name);
      if (from === undefined || new RegExp(`^import .*\\b${name}\\b`, 'm').test(text)) return '';
      return `import { ${name} } from '${from.includes(own) ? own : from[0]}';`;
    });
    return `${lines.join('\n')}\n${scoped(text)}`;
  });
  const options = { verbatimModuleSyntax: false };
  expect(mistakesIn(programs, options, compiled)).toEqual([]);
});

/** Imports stay outside. What an example declares is in its own scope: it may have the name of something around it. */
function scoped(text: string): string {
  const imports = text.match(/^import .*$/gm) ?? [];
  const rest = text.replace(/^import .*$/gm, '').replace(/^export /gm, '');
  return `${imports.join('\n')}\nexport async function example() {\n${rest}\n}\n`;
}

/** The code of `@example` in a file's doc comments. */
function examplesIn(file: string): string[] {
  const comments = readFileSync(join(root, file), 'utf8').matchAll(/@example\n([\s\S]*?)\*\//g);
  return [...comments].flatMap(({ 1: text = '' }) =>
    blocksOf(text.replace(/^ *\* ?/gm, '')).map((block) => block.text),
  );
}

/** Every exported name, and the packages that have it, in the order of the reference. */
function exportsOfAll(): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const { folder, name: own } of packages) {
    const path = join(root, folder, 'src/index.ts');
    const source = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest);
    const names = source.statements.flatMap((statement) => {
      if (
        ts.isExportDeclaration(statement) &&
        statement.exportClause &&
        ts.isNamedExports(statement.exportClause)
      )
        return statement.exportClause.elements.map(({ name }) => name.text);
      if (ts.isVariableStatement(statement))
        return statement.declarationList.declarations.map(({ name }) => name.getText(source));
      return [];
    });
    for (const name of names) found.set(name, [...(found.get(name) ?? []), own]);
  }
  return found;
}
