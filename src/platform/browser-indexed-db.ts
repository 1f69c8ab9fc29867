/** The page's own databases. */
export const browserIndexedDb = (): IDBFactory => indexedDB;
