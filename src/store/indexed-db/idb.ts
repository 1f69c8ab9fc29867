/** The part of IndexedDB that is used, so that it can be passed in. A browser's `indexedDB` is an {@link IdbFactory}. */

type Handler = ((event: never) => void) | null;

export interface IdbRequest<T = unknown> {
  readonly result: T;
  readonly error: unknown;
  onsuccess: Handler;
  onerror: Handler;
}

export interface IdbOpenRequest extends IdbRequest<IdbDatabase> {
  onupgradeneeded: Handler;
  onblocked: Handler;
}

export interface IdbObjectStore {
  get(key: string): IdbRequest;
  getAll(): IdbRequest<unknown[]>;
  put(value: unknown, key?: string): IdbRequest;
  delete(key: string): IdbRequest;
  clear(): IdbRequest;
}

export interface IdbTransaction {
  readonly error: unknown;
  oncomplete: Handler;
  onabort: Handler;
  objectStore(name: string): IdbObjectStore;
  abort(): void;
}

export interface IdbDatabase {
  readonly objectStoreNames: Iterable<string>;
  onversionchange: Handler;
  onclose: Handler;
  createObjectStore(name: string, options?: { keyPath: string }): unknown;
  deleteObjectStore(name: string): void;
  transaction(names: string[], mode: "readonly" | "readwrite"): IdbTransaction;
  close(): void;
}

export interface IdbFactory {
  open(name: string, version?: number): IdbOpenRequest;
  deleteDatabase(name: string): IdbOpenRequest;
}
