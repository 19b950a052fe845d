// The last session, kept in this browser until it is forgotten or another folder is picked.

import type { Found, LoadOptions, Samples, Scored, Source } from '../engine/protocol';
import type { Settings } from '../lib/settings';

interface Kept {
  setup: { source: Source; settings: Settings; found: Found };
  /** Of a proxy in mid-training. */
  checkpoint: Uint8Array;
  scored: { scored: Scored; samples: Samples; csv: string; load: LoadOptions };
}

const NAME = 'tilepress';
const STORE = 'session';

async function within<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const database = await new Promise<IDBDatabase>((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  try {
    return await new Promise<T>((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      const request = work(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error ?? request.error);
    });
  } finally {
    database.close();
  }
}

export const keep = <K extends keyof Kept>(key: K, value: Kept[K]) => within('readwrite', (store) => store.put(value, key));
export const recall = <K extends keyof Kept>(key: K) => within('readonly', (store) => store.get(key) as IDBRequest<Kept[K] | undefined>);
export const drop = (key: keyof Kept) => within('readwrite', (store) => store.delete(key));
export const forget = () => within('readwrite', (store) => store.clear());
