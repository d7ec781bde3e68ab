import { ADDRESSES_MAX, assert, HANDSHAKE_MS_MAX, RETRY_AFTER_CROWD_MS } from '@tidewire/core';
import { type GatewayLimits, NO_BOUND } from '../gateway-limits.js';
import { clientOf } from '../transport/client-address.js';
import type { UpgradeRefusal } from '../transport/transport.js';

type Counted = Pick<
  GatewayLimits,
  | 'connections'
  | 'connectionsPerAddress'
  | 'strangers'
  | 'strangersPerAddress'
  | 'offencesPerAddress'
>;

/**
 * Sockets are accepted with a handshake to come, and a transport need not tell whose it was that ended. So
 * each counts for its address until that is told, or for this long: no handshake takes longer, that of TLS
 * included. Offences count as long.
 */
const WINDOW_MS: number = 2.5 * HANDSHAKE_MS_MAX;

/** One client address, and what there is of it. */
export interface AddressCount {
  readonly address: string;
  connections: number;
  /** Of the connections those that have not said Hello. */
  strangers: number;
  /** Accepted in this window and in the one before, and neither upgraded nor known to have ended. */
  sockets: number;
  socketsBefore: number;
  /** Its connections that were closed for a fault of their own, in this window and in the one before. */
  offences: number;
  offencesBefore: number;
}

/**
 * Counts who is there, in total and by address, and says who may still come in. A stranger is whoever has
 * not said Hello: it costs a socket, at most for the handshake's and Hello's deadlines.
 */
export class ConnectionLimits {
  readonly #limits: Counted;
  readonly #addresses: Map<string, AddressCount> = new Map();
  #connections = 0;
  #strangers = 0;
  /** Accepted, and neither upgraded nor ended. */
  #sockets = 0;
  #windowEndMs = 0;
  /** Sockets that were not accepted, and upgrades that were refused. */
  turnedAway = 0;

  constructor(limits: Counted) {
    this.#limits = limits;
  }

  get connections(): number {
    return this.#connections;
  }

  get strangers(): number {
    return this.#strangers;
  }

  /** Addresses known. */
  get addresses(): number {
    return this.#addresses.size;
  }

  /** A socket has come; false: it is to be closed without a word. */
  accept(address: string): boolean {
    const count = this.#countOf(address);
    const isWelcome =
      count !== undefined &&
      this.#strangers + this.#sockets < this.#limits.strangers &&
      strangersOf(count) < this.#limits.strangersPerAddress &&
      !this.#isOffender(count);
    if (isWelcome) {
      count.sockets++;
      this.#sockets++;
    } else this.turnedAway++;
    return isWelcome;
  }

  /** One that was accepted has ended, and was not upgraded. Undefined: nobody knows whose it was. */
  end(address: string | undefined): void {
    this.#leave(address === undefined ? undefined : this.#addresses.get(clientOf(address)));
  }

  /** May its upgrade proceed? Else why not. */
  refusal(address: string): UpgradeRefusal | undefined {
    const sentence = this.#sentence(this.#countOf(address));
    if (sentence === undefined) return undefined;
    this.turnedAway++;
    return { sentence, retryAfterMs: RETRY_AFTER_CROWD_MS };
  }

  /**
   * A connection is open. Returns the count to give to the calls that follow.
   * REQUIRES: its socket was accepted, and `refusal` has just said nothing.
   */
  open(address: string): AddressCount {
    const count = this.#countOf(address);
    assert(count !== undefined, 'an unknown address with no room for it is refused');
    count.connections++;
    count.strangers++;
    this.#connections++;
    this.#strangers++;
    this.#leave(count);
    return count;
  }

  /** It has said Hello. */
  greet(count: AddressCount): void {
    count.strangers--;
    this.#strangers--;
  }

  /** A connection of it is closed for a fault of its own. */
  blame(count: AddressCount): void {
    count.offences++;
  }

  /** It has ended. */
  close(count: AddressCount, isStranger: boolean): void {
    if (isStranger) this.greet(count);
    count.connections--;
    this.#connections--;
    this.#maybeForget(count);
  }

  /** Call several times a second: sockets of long ago no longer count. */
  sweep(elapsedMs: number): void {
    if (elapsedMs < this.#windowEndMs) return;
    this.#windowEndMs = elapsedMs + WINDOW_MS;
    for (const count of this.#addresses.values()) {
      count.socketsBefore = count.sockets;
      count.sockets = 0;
      count.offencesBefore = count.offences;
      count.offences = 0;
      this.#maybeForget(count);
    }
  }

  /** A socket is none any more: it was upgraded, or has ended. */
  #leave(count: AddressCount | undefined): void {
    assert(this.#sockets > 0, 'a socket is accepted before it ends');
    this.#sockets--;
    if (count === undefined) return;
    if (count.socketsBefore > 0) count.socketsBefore--;
    else if (count.sockets > 0) count.sockets--;
    this.#maybeForget(count);
  }

  #sentence(count: AddressCount | undefined): string | undefined {
    const { connections, connectionsPerAddress, strangers } = this.#limits;
    if (this.#connections >= connections)
      return `The server has ${connections} connections, as many as it may have.`;
    if (count === undefined || count.connections >= connectionsPerAddress)
      return `An address may have ${connectionsPerAddress} connections.`;
    if (this.#isOffender(count))
      return 'Too many connections of this address were closed for their own fault.';
    if (this.#strangers >= strangers)
      return `${strangers} connections have not said Hello yet, as many as may.`;
    return undefined;
  }

  #isOffender({ offences, offencesBefore }: AddressCount): boolean {
    const { offencesPerAddress } = this.#limits;
    return offencesPerAddress !== NO_BOUND && offences + offencesBefore >= offencesPerAddress;
  }

  /** Undefined: there are too many already. */
  #countOf(address: string): AddressCount | undefined {
    const client = clientOf(address);
    const known = this.#addresses.get(client);
    if (known !== undefined || this.#addresses.size >= ADDRESSES_MAX) return known;
    const count = newCount(client);
    this.#addresses.set(client, count);
    return count;
  }

  #maybeForget(count: AddressCount): void {
    const { connections, sockets, socketsBefore, offences, offencesBefore } = count;
    if (connections + sockets + socketsBefore + offences + offencesBefore === 0)
      this.#addresses.delete(count.address);
  }
}

function strangersOf(count: AddressCount): number {
  return count.strangers + count.sockets + count.socketsBefore;
}

function newCount(address: string): AddressCount {
  return {
    address,
    connections: 0,
    strangers: 0,
    sockets: 0,
    socketsBefore: 0,
    offences: 0,
    offencesBefore: 0,
  };
}
