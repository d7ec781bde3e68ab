import {
  canonicalPredicate,
  checkPredicate,
  GRANTS_MAX,
  type Predicate,
  PredicateError,
  PredicateTextError,
  parsePredicate,
} from '@tidewire/core';
import { filledIn, MissingClaimError, templateFault } from './claim-literal.js';
import type { Claims } from './token-verifier.js';

export const RIGHTS = ['read', 'write', 'subscribe', 'execute'] as const;
export type Right = (typeof RIGHTS)[number];

/** Rights on some maps, as a policy or a token gives them. */
export interface Grant {
  /** Only to those whose token has one of these roles; undefined: to everybody. */
  readonly roles: readonly string[] | undefined;
  /** Names of maps, in which * stands for any text. */
  readonly maps: readonly string[];
  readonly rights: readonly Right[];
  /** Only on records for which it holds; its texts may name claims as `${sub}`. */
  readonly where: Predicate | undefined;
}

/** Who may do what. Whatever is not granted is denied. */
export interface Policy {
  /** The claim that has the roles: one text, or a list. */
  readonly rolesClaim: string;
  readonly grants: readonly Grant[];
}

export const EMPTY_POLICY: Policy = { rolesClaim: 'roles', grants: [] };

/** A policy is not sound; the message is a sentence without its end, on the place that is wrong. */
export class PolicyError extends Error {
  override name = 'PolicyError';
}

/** @throws PolicyError */
export function readPolicy(json: unknown): Policy {
  const { rolesClaim = 'roles', grants, ...others } = membersOf(json, 'a policy');
  refuseOthers(others, 'a policy', 'rolesClaim and grants');
  if (typeof rolesClaim !== 'string' || rolesClaim === '')
    throw new PolicyError('rolesClaim is the name of a claim');
  return { rolesClaim, grants: readGrants(grants, { withRoles: true }) };
}

/** @throws PolicyError */
export function readGrants(json: unknown, { withRoles }: { withRoles: boolean }): Grant[] {
  if (!Array.isArray(json)) throw new PolicyError('grants is a list');
  if (json.length > GRANTS_MAX) throw new PolicyError(`there are at most ${GRANTS_MAX} grants`);
  return json.map((grant, i) => readGrant(grant, `grants[${i}]`, withRoles));
}

/** What the policy and the token itself grant to whoever has these claims, claims filled in. */
export function grantsTo(
  policy: Policy,
  granted: readonly Grant[],
  claims: Claims['all'],
): readonly Grant[] {
  const roles = rolesOf(claims[policy.rolesClaim]);
  const byRole = policy.grants.filter(
    (grant) => grant.roles?.some((role) => roles.has(role)) ?? true,
  );
  return [...byRole, ...granted].flatMap((grant) => maybeFilledIn(grant, claims));
}

/** Whether `pattern`, in which * stands for any text, is the map's name. */
export function isMapOf(pattern: string, map: string): boolean {
  const parts = pattern.split('*');
  const [first] = parts;
  const last = parts.at(-1) as string;
  if (parts.length === 1) return pattern === map;
  if (map.length < first.length + last.length) return false;
  if (!map.startsWith(first) || !map.endsWith(last)) return false;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = map.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at <= map.length - last.length;
}

function readGrant(json: unknown, place: string, withRoles: boolean): Grant {
  const { roles, maps, rights, where, ...others } = membersOf(json, place);
  refuseOthers(others, place, 'roles, maps, rights and where');
  if (roles !== undefined && !withRoles) throw new PolicyError(`${place} of a token has no roles`);
  const known: readonly string[] = RIGHTS;
  const unknown = textsOf(rights, `${place}.rights`).find((right) => !known.includes(right));
  if (unknown !== undefined)
    throw new PolicyError(`${place}.rights are of ${RIGHTS.join(', ')}, not "${unknown}"`);
  return {
    roles: roles === undefined ? undefined : textsOf(roles, `${place}.roles`),
    maps: textsOf(maps, `${place}.maps`),
    rights: rights as Right[],
    where: where === undefined ? undefined : readWhere(where, `${place}.where`),
  };
}

function readWhere(json: unknown, place: string): Predicate {
  if (typeof json !== 'string') throw new PolicyError(`${place} is a text`);
  try {
    const predicate = parsePredicate(json);
    const fault = templateFault(predicate);
    if (fault !== undefined) throw new PolicyError(`${place}: ${fault}`);
    return predicate;
  } catch (error) {
    if (!(error instanceof PredicateTextError)) throw error;
    throw new PolicyError(`${place}: ${error.message.replace(/\.$/, '')}`);
  }
}

/** Without its grant where a claim is missing, or is none that fits: then it grants nothing. */
function maybeFilledIn(grant: Grant, claims: Claims['all']): Grant[] {
  if (grant.where === undefined) return [grant];
  try {
    const where = filledIn(grant.where, claims);
    checkPredicate(where);
    return [{ ...grant, where: canonicalPredicate(where) }];
  } catch (error) {
    if (error instanceof MissingClaimError || error instanceof PredicateError) return [];
    throw error;
  }
}

function rolesOf(claim: unknown): ReadonlySet<unknown> {
  return new Set(Array.isArray(claim) ? claim : [claim]);
}

function membersOf(json: unknown, place: string): Record<string, unknown> {
  if (typeof json === 'object' && json !== null && !Array.isArray(json))
    return json as Record<string, unknown>;
  throw new PolicyError(`${place} is an object`);
}

function refuseOthers(others: object, place: string, known: string): void {
  const [name] = Object.keys(others);
  if (name !== undefined) throw new PolicyError(`${place} has no "${name}", but ${known}`);
}

function textsOf(json: unknown, place: string): string[] {
  const isList = Array.isArray(json) && json.length > 0;
  if (isList && json.every((text) => typeof text === 'string' && text !== '')) return json;
  throw new PolicyError(`${place} is a list of texts`);
}
