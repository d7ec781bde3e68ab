import { createWsTransport } from '#lib/ws-transport.js';
import { transportContract } from './transport.contract.js';

transportContract(createWsTransport, { name: 'ws', tooLongCode: 1009, idleTimeoutMsMin: 400 });
