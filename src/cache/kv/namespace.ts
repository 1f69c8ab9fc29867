/** What is asked of a Workers KV binding; any store of bytes by name will do. */
export interface KvNamespace {
  get(name: string, type: "arrayBuffer"): Promise<ArrayBuffer | null>;
  put(name: string, value: ArrayBuffer, options: { readonly expirationTtl: number }): Promise<void>;
  delete(name: string): Promise<void>;
  list(options: { readonly prefix: string; readonly cursor?: string }): Promise<KvPage>;
}

/** One page of names. */
export interface KvPage {
  readonly keys: readonly { readonly name: string }[];
  readonly list_complete: boolean;
  readonly cursor?: string;
}
