import t from 'tap';
import { createUwsTransport, uwsMissing } from '#lib/uws-transport.js';
import { transportContract } from './transport.contract.js';

const missing = await uwsMissing();

if (missing !== undefined) t.test(`uWebSockets: ${missing}`, { skip: missing }, async () => {});
else
  transportContract(createUwsTransport, {
    name: 'uWebSockets',
    tooLongCode: 1006,
    idleTimeoutMsMin: 8000,
  });
