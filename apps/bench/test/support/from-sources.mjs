// node --import THIS-FILE src/cli.ts: runs the command from its sources, so that a test of real processes needs no
// build. Children get the same options (see processes.ts).
import { readFileSync } from 'node:fs';
import { isBuiltin, register } from 'node:module';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';
import { transform } from 'esbuild';

// Node loads this file a second time, for the hooks below, in a thread of their own.
if (isMainThread) register(import.meta.url);

/** Imports in sources name the .js files that a build would make. */
export async function resolve(specifier, context, next) {
  const isOwn = specifier.startsWith('.') && context.parentURL?.endsWith('.ts');
  const name = isOwn ? specifier.replace(/\.js$/, '.ts') : specifier;
  if (isBuiltin(specifier)) return next(name, context);
  return next(name, { ...context, conditions: ['@vmarea/source', ...context.conditions] });
}

export async function load(url, context, next) {
  if (!url.endsWith('.ts')) return next(url, context);
  const { code } = await transform(readFileSync(fileURLToPath(url), 'utf8'), {
    loader: 'ts',
    sourcefile: url,
    sourcemap: 'inline',
    target: 'node20',
  });
  return { format: 'module', source: code, shortCircuit: true };
}
