import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { basename, join } from 'node:path';

/** A registry on this machine. It knows the given packages in one version each, and takes none. */
export class Registry {
  /** Requests that would have changed the registry. */
  refused = /** @type {string[]} */ ([]);
  #packages;
  #server = createServer((request, response) => this.#answer(request, response));

  /**
   * @param {Map<string, string>} tarballs - of the packages.
   * @param {(name: string) => string} folderOf - where a package is unpacked.
   */
  constructor(tarballs, folderOf) {
    this.#packages = [...tarballs].map(([name, file]) => {
      const manifest = JSON.parse(readFileSync(join(folderOf(name), 'package.json'), 'utf8'));
      return { name, file, manifest };
    });
  }

  /** Starts to serve on a free port. */
  async open() {
    await new Promise((resolve) => this.#server.listen(0, '127.0.0.1', () => resolve(null)));
  }

  close() {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  get url() {
    const { port } = /** @type {import('node:net').AddressInfo} */ (this.#server.address());
    return `http://127.0.0.1:${port}/`;
  }

  /**
   * @param {import('node:http').IncomingMessage} request
   * @param {import('node:http').ServerResponse} response
   */
  #answer({ method, url = '' }, response) {
    const path = decodeURIComponent(url).slice(1);
    if (method !== 'GET' && method !== 'HEAD') {
      this.refused.push(`${method} ${path}`);
      response.writeHead(405).end();
      return;
    }
    const one = this.#packages.find(({ name, file }) => path === name || path === basename(file));
    if (one === undefined) response.writeHead(404).end('{}');
    else if (path === one.name) response.end(JSON.stringify(this.#document(one)));
    else response.end(readFileSync(one.file));
  }

  /** @param {{ name: string, file: string, manifest: { version: string } }} one */
  #document({ name, file, manifest }) {
    const integrity = `sha512-${createHash('sha512').update(readFileSync(file)).digest('base64')}`;
    const version = { ...manifest, dist: { tarball: `${this.url}${basename(file)}`, integrity } };
    return { name, 'dist-tags': { latest: manifest.version }, versions: { [manifest.version]: version } };
  }
}
