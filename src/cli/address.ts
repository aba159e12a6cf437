/** Addresses as people and command lines write them. */

interface Address {
  readonly host: string;
  readonly port: number;
}

/** `127.0.0.1:2222` or `[::1]:2222`. */
export function addressText({ host, port }: Address): string {
  return `${hostText(host)}:${port}`;
}

/** A host beside a ":": IPv6 addresses get brackets. */
export function hostText(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

/** The host that a client on this machine reaches a listener by. */
export function localHost(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return host === '::' ? '::1' : host;
}

/** As ssh looks it up in a known_hosts file: with brackets and port, unless the port is SSH's own. */
export function knownHostsName({ host, port }: Address): string {
  return port === 22 ? host : `[${host}]:${port}`;
}
