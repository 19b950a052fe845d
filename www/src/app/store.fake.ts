// A store for the tests, in memory.

export const store = new Map<string, unknown>();

export const keep = async (key: string, value: unknown) => void store.set(key, value);
export const recall = async (key: string) => store.get(key);
export const drop = async (key: string) => void store.delete(key);
export const forget = async () => store.clear();
