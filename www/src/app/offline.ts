// The page goes on working without a network: what it has loaded is kept by a service worker.

export async function keepForOffline(): Promise<void> {
  if (!('serviceWorker' in navigator) || !isSecureContext) return;
  const here = new URL('./', document.baseURI).href;
  await navigator.serviceWorker.register(`${here}sw.js`, { scope: here });
  const { active } = await navigator.serviceWorker.ready;
  const loaded = performance.getEntriesByType('resource').map(({ name }) => name);
  // Those that the engine's worker loads are not in the list.
  active?.postMessage([...new Set([here, ...loaded, `${here}pkg/tilepress.js`, `${here}pkg/tilepress_bg.wasm`])]);
}
