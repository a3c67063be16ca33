// The page without a network: all of its files are kept at the first load. A new build has another version, and so its own copy.
const VERSION = 'vmarea-__VERSION__';
/** @type {string[]} */
const FILES = '__FILES__';
const PAGE = ['./', './index.html'].map((name) => new URL(name, location.href).pathname);

addEventListener('install', (event) => {
  event.waitUntil(
    caches
      .open(VERSION)
      // A host may let a browser keep files for minutes. Those of an older build must not get into this copy.
      .then((cache) => cache.addAll(FILES.map((file) => new Request(file, { cache: 'reload' }))))
      .then(() => skipWaiting()),
  );
});

addEventListener('activate', (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) =>
        Promise.all(
          // Other pages of the same host have copies of their own.
          names
            .filter((name) => name.startsWith('vmarea-') && name !== VERSION)
            .map((name) => caches.delete(name)),
        ),
      )
      .then(() => clients.claim()),
  );
});

addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== location.origin) return;
  // The page has two names, with and without index.html. Its copy has one: some hosts answer the other one by a redirection.
  const isPage = request.mode === 'navigate' && PAGE.includes(url.pathname);
  event.respondWith(
    caches.match(isPage ? './' : request, { ignoreSearch: true }).then((kept) => kept ?? fetch(request)),
  );
});
