/** A running Sallyport, as the composition root hands it out. */
export interface Sallyport {
  /** `HOST:PORT`, IPv6 in brackets. */
  readonly proxyAddress: string;
  /** The listener over TLS; `null`: there is none. */
  readonly proxyTlsAddress: string | null;
  readonly adminAddress: string;
  /** Only on the first start, when it was minted here: to be shown once. */
  readonly adminKey: string | null;
  /** Drains, flushes, closes. `hasten` ends a drain that is under way. */
  close(options?: { readonly hasten?: boolean }): Promise<void>;
}
