/** Networks that clients may come from. */
import { BlockList, isIP } from 'node:net';

export interface Network {
  readonly address: string;
  readonly prefixBits: number;
  readonly family: 'ipv4' | 'ipv6';
}

/** `192.0.2.0/24`, `2001:db8::/32`, or one address. Undefined for what is none of them. */
export function parseNetwork(text: string): Network | undefined {
  const match = /^([0-9A-Fa-f.:]{2,45})(?:\/(0|[1-9]\d{0,2}))?$/.exec(text);
  const address = match?.[1] ?? '';
  const version = isIP(address);
  if (version === 0) return undefined;
  const bits = version === 4 ? 32 : 128;
  const prefixBits = match?.[2] === undefined ? bits : Number(match[2]);
  return prefixBits > bits ? undefined : { address, prefixBits, family: version === 4 ? 'ipv4' : 'ipv6' };
}

export function isAddress(text: string): boolean {
  return isIP(text) !== 0;
}

/** A test for addresses. What `parseNetwork` does not know is a mistake of ours and throws. */
export function networkTest(networks: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const text of networks) {
    const network = parseNetwork(text);
    if (network === undefined) throw new TypeError(`no network: ${text}`);
    list.addSubnet(network.address, network.prefixBits, network.family);
  }
  return (address) => {
    const bare = plainAddress(address);
    const version = isIP(bare);
    return version !== 0 && list.check(bare, version === 4 ? 'ipv4' : 'ipv6');
  };
}

/** Without a zone; an IPv4 address that came over an IPv6 socket (`::ffff:192.0.2.1`) is an IPv4 address. */
function plainAddress(address: string): string {
  const bare = address.replace(/%.*$/u, '');
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/iu.exec(bare)?.[1] ?? bare;
}
