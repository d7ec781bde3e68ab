const MAPPED = /^(::ffff:|0000:0000:0000:0000:0000:ffff:)/;
const GROUPS = 8;
const NETWORK_GROUPS = 4;

/**
 * Whom an address is counted as: one of IPv4 as itself, in whatever form a transport spells it; one of
 * IPv6 as its network of 64 bits, since whoever has one address there has all of them.
 */
export function clientOf(address: string): string {
  const inner = address.replace(MAPPED, '');
  if (inner !== address) return inner.includes('.') ? inner : dotted(inner);
  return address.includes(':') ? networkOf(address) : address;
}

/** `7f00:0001` → `127.0.0.1` */
function dotted(groups: string): string {
  return groups
    .split(':')
    .map((group) => Number.parseInt(group, 16))
    .flatMap((number) => [number >> 8, number & 0xff])
    .join('.');
}

function networkOf(address: string): string {
  const [left, right] = address.split('::').map((part) => (part === '' ? [] : part.split(':')));
  const zeros = right === undefined ? 0 : GROUPS - left.length - right.length;
  const groups = [...left, ...Array<string>(zeros).fill('0'), ...(right ?? [])];
  const network = groups.slice(0, NETWORK_GROUPS).map((group) => Number.parseInt(group, 16));
  return `${network.map((number) => number.toString(16)).join(':')}::/64`;
}
