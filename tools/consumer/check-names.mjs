import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Classes that may still have another name in the built files.
 *
 * esbuild calls a class `_Name` when its body says `Name`, and so do stack traces and `console.log`. The body can say `this` instead,
 * or call a function outside of the class.
 */
const RENAMED = new Set(['TablePath', 'TableVisit']);

/**
 * Everything that a package exports is called what its users call it, in both builds.
 *
 * @param {import('./project.mjs').Project} project
 * @param {string} name - of the package.
 */
export async function checkNames(project, name) {
  const print = `
    const functions = Object.entries(all).filter(([, value]) => typeof value === 'function');
    console.log(JSON.stringify(functions.map(([key, value]) => [key, value.name])));`;
  const printed = [
    await project.evaluate('module', `import * as all from '${name}';${print}`),
    await project.evaluate('commonjs', `const all = require('${name}');${print}`),
  ];
  /** @type {[string, string][]} */
  const exported = printed.flatMap((text) => JSON.parse(text));
  const built = ['dist/index.js', 'dist/cjs/index.js'].flatMap((file) =>
    renamedClasses(readFileSync(join(project.installed(name), file), 'utf8')),
  );
  const wrong = [...exported, ...built].filter(([key, called]) => called !== key && !RENAMED.has(key));
  if (wrong.length > 0) {
    throw new Error([...new Set(wrong.map(([key, called]) => `${key} is called ${called}`))].join('\n'));
  }
  return `${exported.length / 2}`;
}

/**
 * @param {string} code
 * @returns {[string, string][]} the name of each class in the sources and in the code.
 */
function renamedClasses(code) {
  return [...code.matchAll(/= class (_(\w+))/g)].map(([, called = '', key = '']) => [key, called]);
}
