/** What counts as one peer when connections are counted. */
import { isIPv4, isIPv6 } from 'node:net';

/**
 * The group of addresses that one peer can be expected to own: an IPv4 address itself, and the /64 network of an IPv6
 * address, because anybody with IPv6 has 2^64 addresses. Anything else is its own group.
 */
export function addressGroup(address: string): string {
  const bare = address.replace(/%.*$/u, '');
  const mapped = /^::ffff:([\d.]+)$/iu.exec(bare)?.[1];
  if (mapped !== undefined && isIPv4(mapped)) return mapped;
  if (!isIPv6(bare)) return bare;
  const [head = '', tail] = bare.split('::');
  const left = words(head);
  const right = tail === undefined ? [] : words(tail);
  // An embedded IPv4 part stands for two words, but always in the half that we don't need.
  const missing = Math.max(0, 8 - left.length - right.length);
  const all = tail === undefined ? left : [...left, ...Array<string>(missing).fill('0'), ...right];
  const network = all.slice(0, 4).map((word) => Number.parseInt(word, 16).toString(16));
  return `${network.join(':')}::/64`;
}

/** The words of one side of "::"; a dotted quad at the end counts as two. */
function words(side: string): string[] {
  if (side === '') return [];
  return side.split(':').flatMap((word) => (word.includes('.') ? ['0', '0'] : [word]));
}
