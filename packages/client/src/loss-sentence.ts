const UNKNOWN_AUTHORITY = /self.signed|issuer|verify the first/i;
const NO_TLS = /wrong version number|packet length too long/i;
const CUT_OFF = /hang up|ECONNRESET|Parse Error/i;

/**
 * Why there is no connection to `url`. `trouble`: what the socket told, '' if nothing, as in browsers; the
 * usual mistakes with TLS are named by what to do, since what sockets tell of them says little.
 */
export function lossSentence(url: string, isOpening: boolean, trouble: string): string {
  if (!isOpening) return trouble === '' ? `${url} hung up.` : `${url} hung up: ${trouble}.`;
  const isTls = url.startsWith('wss:');
  if (isTls && UNKNOWN_AUTHORITY.test(trouble))
    return (
      `The certificate of ${url} is not trusted (${trouble}); ` +
      'NODE_EXTRA_CA_CERTS names a file with those who vouch for it.'
    );
  if (isTls && /certificate/i.test(trouble))
    return `The certificate of ${url} is not good: ${trouble}.`;
  if (isTls && NO_TLS.test(trouble))
    return `Nobody speaks TLS at ${url}; a server without TLS is named by ws://.`;
  if (!isTls && CUT_OFF.test(trouble))
    return `Nobody answers at ${url}: ${trouble}; a server with TLS is named by wss://.`;
  return trouble === '' ? `Nobody answers at ${url}.` : `Nobody answers at ${url}: ${trouble}.`;
}
