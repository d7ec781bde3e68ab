const MAPPED = /^(::ffff:|0000:0000:0000:0000:0000:ffff:)/;

/** Is this address, in the short form or written out, one of this machine? */
export function isLoopback(address: string): boolean {
  if (address === '::1' || address === '0000:0000:0000:0000:0000:0000:0000:0001') return true;
  const inner = address.replace(MAPPED, '');
  return inner.startsWith('127.') || (inner !== address && inner.startsWith('7f'));
}
