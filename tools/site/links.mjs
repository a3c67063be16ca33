// Checks the links of a folder of pages: every file that a page names is there, and every anchor, too. Asks nothing of the network.
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { LinkChecker, LinkState } from 'linkinator';

/**
 * @typedef {{ page: string, link: string, why: string }} DeadLink
 * @typedef {{ pages: number, links: number, outside: number, dead: DeadLink[] }} Links - `links` are different addresses inside, with
 *   anchors; `outside` are those of other hosts, which are not asked.
 */

/**
 * @param {string} folder
 * @returns {Promise<Links>}
 */
export async function checkLinks(folder) {
  const pages = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((page) => page.replaceAll('\\', '/'))
    .filter((page) => page.endsWith('.html'));
  if (pages.length === 0) return { pages: 0, links: 0, outside: 0, dead: [] };
  const port = await freePort();
  const inside = `http://localhost:${port}/`;
  const checker = new LinkChecker();
  const look = () =>
    checker.check({
      path: pages.map((page) => encodeURI(page)),
      serverRoot: folder,
      port,
      recurse: true,
      checkCss: true,
      checkFragments: true,
      linksToSkip: async (url) => !url.startsWith(inside),
    });
  // A checker judges the anchors that it knew of when it came to a page. The second time it knows them all.
  const first = await look();
  const second = await look();
  const path = (/** @type {string | undefined} */ url) => decodeURI(url ?? '').replace(inside, '');
  const anchors = new Set(pages.flatMap((page) => anchorsIn(folder, page)));
  /** @type {Map<string, DeadLink>} */
  const dead = new Map();
  for (const { url, parent, state, status, failureDetails = [] } of [...first.links, ...second.links]) {
    if (state !== LinkState.BROKEN) continue;
    const link = path(url);
    const [, anchor] = link.split('#');
    const messages = failureDetails.flatMap((one) => ('message' in one ? [one.message] : []));
    const why =
      anchor === undefined ? [`status ${status}`, ...messages].join(', ') : 'there is no such anchor';
    const from = anchor === undefined ? [path(parent)] : pagesThatName(folder, pages, anchor);
    for (const page of from) dead.set(`${page} ${link}`, { page, link, why });
  }
  const files = first.links.filter(({ state }) => state === LinkState.OK).length;
  return {
    pages: pages.length,
    links: files + anchors.size,
    outside: first.links.filter(({ state }) => state === LinkState.SKIPPED).length,
    dead: [...dead.values()],
  };
}

/**
 * The addresses with an anchor that a page links to.
 *
 * @param {string} folder
 * @param {string} page
 */
function anchorsIn(folder, page) {
  const text = readFileSync(join(folder, page), 'utf8');
  return [...text.matchAll(/href="([^"]*#[^"]+)"/g)]
    .map(([, link = '']) => new URL(link, `http://localhost/${page}`).href)
    .filter((url) => url.startsWith('http://localhost/'));
}

/**
 * Pages with a link to an anchor of that name. The checker names only the page with the anchor.
 *
 * @param {string} folder
 * @param {readonly string[]} pages
 * @param {string} anchor
 */
function pagesThatName(folder, pages, anchor) {
  return pages.filter((page) => anchorsIn(folder, page).some((url) => url.endsWith(`#${anchor}`)));
}

/** A port that nobody uses: both looks must see the same addresses. */
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('there is no free port');
  return address.port;
}
