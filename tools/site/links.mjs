// Checks the links of a folder of pages: every file that a page names is there, and every anchor, too. Asks nothing of the network.
import { LinkChecker, LinkState } from 'linkinator';

/**
 * @typedef {{ page: string, link: string, why: string }} DeadLink
 * @typedef {{ pages: number, links: number, outside: number, dead: DeadLink[] }} Links - `links` and `outside` count each address once.
 */

/**
 * @param {string} folder
 * @returns {Promise<Links>}
 */
export async function checkLinks(folder) {
  const checker = new LinkChecker();
  const pages = new Set();
  checker.on('pagestart', (url) => pages.add(url));
  const { links } = await checker.check({
    path: ['**/*.html'],
    serverRoot: folder,
    recurse: true,
    checkCss: true,
    checkFragments: true,
    concurrency: 50,
    linksToSkip: async (url) => !/^http:\/\/localhost:/.test(url),
  });
  const dead = links.filter(({ state }) => state === LinkState.BROKEN);
  return {
    pages: pages.size,
    links: links.filter(({ state }) => state === LinkState.OK).length,
    outside: links.filter(({ state }) => state === LinkState.SKIPPED).length,
    dead: dead.map(({ parent = '', url, status, failureDetails = [] }) => ({
      page: path(parent),
      link: path(url),
      why: failureDetails.map((one) => ('message' in one ? one.message : '')).join(' ') || `status ${status}`,
    })),
  };
}

/** @param {string} url - of the server that the checker starts. */
function path(url) {
  return decodeURI(url.replace(/^http:\/\/localhost:\d+\//, ''));
}
