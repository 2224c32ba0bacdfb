/** The settings file that `sallyport init` writes: what one usually changes first, with its defaults. */

/** YAML. `dataDir` is written as given. */
export function formatStarterSettings(dataDir: string): string {
  return `# Settings of Sallyport. Every key: config/reference.yaml; \`sallyport config check --config FILE\`.
# The same by environment: proxy.listen is SALLYPORT_PROXY_LISTEN, and so on.

# Database, master key and certificate authority. Keep it private and back it up.
data_dir: ${JSON.stringify(dataDir)}

proxy:
  # Where sandboxes connect. Not a loopback address: put a firewall in front.
  listen: 127.0.0.1:3128

admin:
  # Where admins connect.
  listen: 127.0.0.1:3129

egress:
  # allow: sandboxes reach every public host; this does not stop data leaving.
  # deny: only what a sandbox's network rules and bound secrets name.
  default: allow
  # Private ranges that sandboxes may reach.
  allow_private: []
  # PEM files of further CAs that origins may be signed by.
  extra_ca: []

log:
  level: info
  format: pretty
`;
}
