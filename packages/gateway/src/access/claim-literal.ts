import { type Literal, type Predicate, unreachable } from '@tidewire/core';
import type { Claims } from './token-verifier.js';

/** A text of this form, whole, stands for the claim of that name. */
const TEMPLATE = /^\$\{([^{}]+)\}$/;

const OPENING = `\${`;

/** A rule names a claim that the token does not have, or not as a text, number or truth value. */
export class MissingClaimError extends Error {
  override name = 'MissingClaimError';
}

/**
 * The predicate with claims in the place of the texts that name them. A claim comes in as one literal,
 * whatever it contains, and never as a part of a text.
 *
 * @throws MissingClaimError
 */
export function filledIn(predicate: Predicate, claims: Claims['all']): Predicate {
  const fill = (literal: Literal): Literal => literalOf(literal, claims);
  switch (predicate.kind) {
    case 'all':
    case 'any':
      return {
        ...predicate,
        predicates: predicate.predicates.map((each) => filledIn(each, claims)),
      };
    case 'not':
      return { kind: 'not', predicate: filledIn(predicate.predicate, claims) };
    case 'between':
      return { ...predicate, low: fill(predicate.low), high: fill(predicate.high) };
    case 'in':
      return { ...predicate, literals: predicate.literals.map(fill) };
    case 'prefix':
      return { ...predicate, text: textOf(fill(predicate.text)) };
    case 'like':
    case 'exists':
      return predicate;
    case 'eq':
    case 'ne':
    case 'lt':
    case 'le':
    case 'gt':
    case 'ge':
    case 'contains':
      return { ...predicate, literal: fill(predicate.literal) };
    default:
      return unreachable(predicate);
  }
}

/** Why no claims could be filled in as they are meant; undefined: they can. */
export function templateFault(predicate: Predicate): string | undefined {
  switch (predicate.kind) {
    case 'all':
    case 'any':
      return predicate.predicates.map(templateFault).find((fault) => fault !== undefined);
    case 'not':
      return templateFault(predicate.predicate);
    case 'like': // its text is a pattern: a claim could widen it
      return predicate.text.includes(OPENING) ? 'a claim cannot be part of a pattern' : undefined;
    case 'prefix':
      return literalFault(predicate.text);
    case 'between':
      return literalFault(predicate.low) ?? literalFault(predicate.high);
    case 'in':
      return predicate.literals.map(literalFault).find((fault) => fault !== undefined);
    case 'exists':
      return undefined;
    default:
      return literalFault(predicate.literal);
  }
}

function literalFault(literal: Literal): string | undefined {
  const isPart =
    typeof literal === 'string' && literal.includes(OPENING) && !TEMPLATE.test(literal);
  return isPart ? 'a claim is a whole text, not a part of one' : undefined;
}

function literalOf(literal: Literal, claims: Claims['all']): Literal {
  const name = typeof literal === 'string' ? TEMPLATE.exec(literal)?.[1] : undefined;
  if (name === undefined) return literal;
  const claim = Object.hasOwn(claims, name) ? claims[name] : undefined;
  if (typeof claim === 'string' || typeof claim === 'number' || typeof claim === 'boolean')
    return claim;
  throw new MissingClaimError(name);
}

function textOf(literal: Literal): string {
  if (typeof literal === 'string' && literal !== '') return literal;
  throw new MissingClaimError('a beginning is a text');
}
