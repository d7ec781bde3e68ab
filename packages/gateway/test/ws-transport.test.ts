import { createWsTransport } from '#lib/transport/ws-transport.js';
import { tlsContract, tlsFiles } from './tls.contract.js';
import { transportContract } from './transport.contract.js';

const differences = { tooLongCode: 1009, idleTimeoutMsMin: 1000 };

transportContract(createWsTransport, { ...differences, name: 'ws' });
transportContract(createWsTransport, { ...differences, name: 'ws, TLS', tls: tlsFiles('one') });
tlsContract(createWsTransport, 'ws');
