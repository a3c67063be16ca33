// `npm run test:browser -- [operations] [kills] [seed]`: threads in Chromium. A page with cross-origin isolation runs the stress
// test of threads; a page without it says why it cannot, and runs one thread. Without a Chromium it does nothing, unless
// VMAREA_BROWSER=required. VMAREA_CHROMIUM names another binary.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { build } from 'esbuild';
import { endsWithUs } from './support/ending.mjs';
import { root } from './support/run.mjs';
import { temporaryFolder } from './support/temporary.mjs';

const [operations = '20000', kills = '20', seed = String(Date.now() % 2 ** 31)] = process.argv.slice(2);
const THREADS = 4;
/** A page that says nothing for this long has failed. Milliseconds. */
const PATIENCE = 120_000;

/** What makes a page isolated: https://html.spec.whatwg.org/multipage/browsers.html#cross-origin-isolation */
const ISOLATED = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

const chromium = [
  process.env.VMAREA_CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find((path) => path !== undefined && existsSync(path));
if (chromium === undefined) {
  console.log('test:browser: no Chromium here (apt-get install chromium, or name one by VMAREA_CHROMIUM)');
  process.exit(process.env.VMAREA_BROWSER === 'required' ? 1 : 0);
}

const programs = await bundled();
console.log(`seed ${seed}`);
const isolated = await seenBy(chromium, 'isolated', `?run=${THREADS},${operations},${kills},${seed}`);
expect(isolated.wait?.startsWith('EAGAIN'), 'the page waits for a lock', isolated);
expect(isolated.stress?.kills === Number(kills), 'the stress test does not end well', isolated);
expect(isolated.stress?.operations === THREADS * Number(operations), 'operations are missing', isolated);
console.log(`isolated: ${JSON.stringify(isolated)}`);
const plain = await seenBy(chromium, 'plain', '');
expect(plain.share?.startsWith('EPERM'), 'the page does not say why it cannot share memory', plain);
expect(plain.pages === 8, 'one thread does not work', plain);
console.log(`plain: ${JSON.stringify(plain)}`);
process.exit();

/** The three programs, by file name. */
async function bundled() {
  const folder = join(root, 'packages/core/test/threads/browser');
  const { outputFiles } = await build({
    entryPoints: ['page', 'driver', 'thread'].map((name) => join(folder, `${name}.ts`)),
    alias: { '@vmarea/core': join(root, 'packages/core/src/index.ts') },
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
 * @param {unknown} seen
 */
function expect(isTrue, what, seen) {
  if (isTrue) return;
  console.error(`test:browser: ${what}: ${JSON.stringify(seen)}`);
  process.exit(1);
}
