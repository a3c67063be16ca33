// `npm run test:browser -- [operations] [kills] [seed]`: threads and reports in Chromium. A page with cross-origin isolation calls while a
// worker is in its way, and runs the stress tests of threads and of address spaces; a page without it says why it cannot, and
// runs one thread. Then the pages of the bench app's --html open from disk, and the explorer, built, and the site that
// `npm run site` made last are used as a person does. Without a Chromium it does nothing, unless VMAREA_BROWSER=required.
// VMAREA_CHROMIUM names another binary.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { build } from 'esbuild';
import { endsWithUs } from './support/ending.mjs';
import { requiredChromium, runInExplorer } from './support/explorer.mjs';
import { run as program, root } from './support/run.mjs';
import { temporaryFolder } from './support/temporary.mjs';

const [operations = 15_000, kills = 5, seed = Date.now() % 2 ** 31] = process.argv.slice(2).map(Number);
/** Calls of an address space take longer than those of the room of threads by itself. */
const room = { configuration: null, threads: 4, operations, kills, seed };
const space = {
  ...{ configuration: 'x86-64', threads: 2, seed },
  ...{ operations: Math.ceil(operations / 5), kills },
};
/** A page that says nothing for this long has failed. Milliseconds. */
const PATIENCE = 60_000;

/** Packages that the programs use. */
const PACKAGES = ['core', 'x86-64', 'x86-64-la57', 'arm64', 'riscv64'];
/** What makes a page isolated: https://html.spec.whatwg.org/multipage/browsers.html#cross-origin-isolation */
const ISOLATED = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

const chromium = requiredChromium('test:browser');
const programs = await bundled();
console.log(`seed ${seed}`);
const run = encodeURIComponent(JSON.stringify({ room, space }));
const isolated = await seenBy(chromium, 'isolated', `?run=${run}`);
console.log(`isolated: ${JSON.stringify(isolated)}`);
expect(isolated.wait?.areas.startsWith('EAGAIN'), 'the page waits for the lock of areas');
expect(isolated.wait?.tables.startsWith('EAGAIN'), 'the page waits until nobody is in a call on tables');
expect(isolated.wait?.wrong.length === 0, 'a call of the page is wrong');
for (const wanted of [room, space]) {
  const done = isolated[wanted === room ? 'room' : 'space'];
  expect(done?.kills === wanted.kills, 'a stress test does not end well');
  expect(done?.operations === wanted.threads * wanted.operations, 'operations are missing');
}
const plain = await seenBy(chromium, 'plain', '');
console.log(`plain: ${JSON.stringify(plain)}`);
expect(
  /^EINVAL.*Cross-Origin-Opener-Policy/.test(plain.refusals?.[0]),
  'the page does not say why it cannot share memory',
);
expect(new Set(plain.refusals).size === 1, 'one mistake has several answers');
expect(plain.pages === 8, 'one thread does not work');
const reports = 'apps/bench/test/html/browser.test.ts';
const code = await program(
  'npx',
  ['vitest', 'run', '--reporter=default', '--project', '@vmarea/bench', reports],
  {
    env: { ...process.env, VMAREA_REPORTS_IN: chromium },
  },
);
expect(code === 0, 'a page of the bench app has an error');
if (!existsSync(join(root, '_site/index.html')))
  expect((await program('npm', ['run', '-s', 'site'])) === 0, 'the site cannot be made');
expect((await runInExplorer(chromium, 'browser')) === 0, 'a test of the explorer or of the site fails');
process.exit();

/** The programs, by file name. */
async function bundled() {
  const folder = join(root, 'test/threads/browser');
  const { outputFiles } = await build({
    entryPoints: ['page', 'driver', 'thread', 'in-the-way'].map((name) => join(folder, `${name}.ts`)),
    // Packages from their sources, so that there is one core.
    alias: Object.fromEntries(
      PACKAGES.map((name) => [`@vmarea/${name}`, join(root, `packages/${name}/src/index.ts`)]),
    ),
    ...{ bundle: true, write: false, outdir: '/', platform: 'browser', format: 'iife' },
  });
  return new Map(outputFiles.map(({ path, text }) => [path.split(/[\\/]/).at(-1) ?? '', text]));
}

/**
 * Opens the page in a new browser.
 *
 * @param {string} browser
 * @param {'isolated' | 'plain'} kind
 * @param {string} search
 * @returns {Promise<any>} what the page tells.
 */
async function seenBy(browser, kind, search) {
  /** @type {(seen: any) => void} */
  let resolve = () => {};
  const seen = new Promise((done) => {
    resolve = done;
  });
  const server = createServer((request, response) => serve(request, response, kind, resolve));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  const profile = temporaryFolder('browser');
  const child = endsWithUs(
    spawn(
      browser,
      [
        ...['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run'],
        ...[`--user-data-dir=${profile}`, `http://127.0.0.1:${port}/index.html${search}`],
      ],
      { stdio: 'ignore' },
    ),
  );
  const timer = setTimeout(() => resolve({ error: `nothing after ${PATIENCE} ms` }), PATIENCE);
  child.once('close', () => resolve({ error: 'the browser ended' }));
  const what = await seen;
  clearTimeout(timer);
  child.kill();
  if (child.exitCode === null)
    await Promise.race([once(child, 'close'), new Promise((done) => setTimeout(done, 5000))]);
  server.closeAllConnections();
  server.close();
  return what;
}

/**
 * @param {import('node:http').IncomingMessage} request
 * @param {import('node:http').ServerResponse} response
 * @param {'isolated' | 'plain'} kind
 * @param {(seen: any) => void} tell
 */
async function serve(request, response, kind, tell) {
  const name = new URL(request.url ?? '/', 'http://localhost').pathname.slice(1);
  const headers = kind === 'isolated' ? ISOLATED : {};
  if (request.method === 'POST') {
    let body = '';
    for await (const part of request) body += part;
    response.writeHead(204, headers).end();
    tell(JSON.parse(body));
  } else if (name === 'index.html') {
    response.writeHead(200, { ...headers, 'Content-Type': 'text/html' });
    response.end('<!doctype html><title>threads</title><script src="page.js"></script>');
  } else if (programs.has(name)) {
    response.writeHead(200, { ...headers, 'Content-Type': 'text/javascript' }).end(programs.get(name));
  } else response.writeHead(404, headers).end();
}

/**
 * @param {unknown} isTrue
 * @param {string} what
 */
function expect(isTrue, what) {
  if (isTrue) return;
  console.error(`test:browser: ${what}`);
  process.exit(1);
}
