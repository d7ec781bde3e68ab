import t from 'tap';
import { createUwsTransport, uwsMissing } from '#lib/transport/uws-transport.js';
import { tlsContract, tlsFiles } from './tls.contract.js';
import { transportContract } from './transport.contract.js';

const missing = await uwsMissing();
const differences = { tooLongCode: 1006, idleTimeoutMsMin: 8000 };

if (missing !== undefined) t.test(`uws: ${missing}`, { skip: missing }, async () => {});
else {
  transportContract(createUwsTransport, { ...differences, name: 'uws' });
  transportContract(createUwsTransport, { ...differences, name: 'uws, TLS', tls: tlsFiles('one') });
  tlsContract(createUwsTransport, 'uws');
}
