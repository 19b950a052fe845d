// Keeps what the page has loaded, for when there is no network. The network comes first, so that nothing grows old.

const KEPT = 'tilepress';

self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));

/** What was loaded before this worker was there. */
self.addEventListener('message', ({ data }) => {
  const here = data.filter((address) => new URL(address).origin === location.origin);
  caches.open(KEPT).then(async (cache) => {
    for (const address of here) if (!(await cache.match(address))) await cache.add(address).catch(() => {});
  });
});

self.addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.method !== 'GET' || new URL(request.url).origin !== location.origin) return;
  event.respondWith(
    fetch(request)
      .then((answer) => {
        if (answer.ok) {
          const copy = answer.clone();
          event.waitUntil(caches.open(KEPT).then((cache) => cache.put(request, copy)));
        }
        return answer;
      })
      .catch(async (error) => {
        const kept = await caches.match(request, { ignoreSearch: true });
        if (kept) return kept;
        throw error;
      }),
  );
});
