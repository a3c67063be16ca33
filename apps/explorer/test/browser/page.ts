import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { expect } from 'vitest';

const dist = new URL('../../dist/', import.meta.url);
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const TYPES: Readonly<Record<string, string>> = {
  ...{ html: 'text/html', js: 'text/javascript', css: 'text/css', svg: 'image/svg+xml' },
};

/** A browser and a static host of a built folder. */
export class Site {
  readonly url: string;
  /** The files that were asked for, since somebody emptied the list. */
  readonly served: Set<string>;
  readonly #server: Server;
  readonly #browser: Browser;
  readonly #errors: string[] = [];

  private constructor(server: Server, browser: Browser, at: string, served: Set<string>) {
    this.served = served;
    this.#server = server;
    this.#browser = browser;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${at}`;
  }

  /**
   * @param folder - with a slash at the end. Default: the explorer, as it was built.
   * @param at - the path at which the host has it.
   */
  static async open(folder: URL = dist, at = '/'): Promise<Site> {
    const served = new Set<string>();
    const server = createServer((request, response) => {
      const { pathname } = new URL(request.url ?? '/', 'http://localhost');
      const file = new URL(pathname.slice(at.length) || 'index.html', folder);
      if (!pathname.startsWith(at) || !file.href.startsWith(folder.href) || !existsSync(file)) {
        response.writeHead(404).end();
        return;
      }
      served.add(fileURLToPath(file));
      const type = TYPES[file.pathname.split('.').at(-1) ?? ''] ?? 'application/octet-stream';
      response.writeHead(200, { 'Content-Type': type }).end(readFileSync(file));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const executablePath = process.env.VMAREA_CHROMIUM ?? '/usr/bin/chromium';
    const args = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'];
    return new Site(server, await chromium.launch({ executablePath, args }), at, served);
  }

  /** Opens a page. What it complains about fails the test that asks `requireQuiet`, and so does what it asks of another host. */
  async page(hash: string, options: BrowserContextOptions = {}): Promise<Page> {
    const context = await this.#browser.newContext({
      viewport: { width: 1280, height: 900 },
      serviceWorkers: 'block',
      ...options,
    });
    const page = await context.newPage();
    // A busy machine is slow; a hang still ends.
    page.setDefaultTimeout(90_000);
    page.on('console', (message) => {
      if (message.type() === 'error') this.#errors.push(message.text());
    });
    page.on('pageerror', (error) => this.#errors.push(String(error)));
    page.on('request', (request) => {
      const url = request.url();
      if (/^https?:/.test(url) && !url.startsWith(this.url)) this.#errors.push(`it asks for ${url}`);
    });
    await page.goto(this.url + hash);
    return page;
  }

  /** An empty page, for a test that watches how the page is loaded. */
  async blank(): Promise<Page> {
    const context = await this.#browser.newContext({ serviceWorkers: 'block' });
    const page = await context.newPage();
    page.setDefaultTimeout(90_000);
    return page;
  }

  /** @throws when a page wrote an error to its console. */
  requireQuiet(): void {
    expect(this.#errors.splice(0)).toEqual([]);
  }

  async close(): Promise<void> {
    await this.#browser.close();
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

/** What axe finds wrong with a page: rules with the elements that break them. */
export async function axeFindings(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    // biome-ignore lint/suspicious/noExplicitAny: axe puts itself on the window.
    const { violations } = await (globalThis as any).axe.run(document, { resultTypes: ['violations'] });
    return violations.flatMap(
      ({ id, nodes }: { id: string; nodes: { html: string; failureSummary: string }[] }) =>
        nodes.map((node) => `${id}: ${node.html.slice(0, 200)} ${node.failureSummary}`),
    );
  });
}

/** True when nothing has to be scrolled sideways. */
export function fitsWidth(page: Page): Promise<boolean> {
  return page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);
}

/** A picture for people who look at it, where `VMAREA_SHOTS` names a folder. */
export async function shot(page: Page, name: string): Promise<void> {
  const folder = process.env.VMAREA_SHOTS;
  if (folder !== undefined) await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
}
