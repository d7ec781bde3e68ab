import { PREDICATE_DEPTH_MAX, PREDICATE_TEXT_MAX } from '../limits.js';
import { type Field, type Literal, type Predicate, PredicateError } from './predicate.js';
import { checkPredicate } from './predicate-check.js';
import { isPredicateWord } from './predicate-format.js';
import { PredicateTextError, type Token, tokensOf } from './predicate-token.js';

export { PredicateTextError } from './predicate-token.js';

/**
 * Reads the text form, such as `population > 1e6 and not tags contains 'sea'`. Its grammar is in
 * docs/formats/predicate.md; what it gives is sound.
 *
 * @throws PredicateTextError that says where something else was expected, and what.
 */
export function parsePredicate(text: string): Predicate {
  if (text.length > PREDICATE_TEXT_MAX)
    throw new PredicateTextError(1, `the text is longer than ${PREDICATE_TEXT_MAX} characters`);
  const parser = new Parser(tokensOf(text));
  const predicate = parser.alternatives();
  parser.end();
  return sound(predicate, 1);
}

const COMPARISONS: Readonly<Record<string, 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge'>> = {
  '=': 'eq',
  '==': 'eq',
  '!=': 'ne',
  '<>': 'ne',
  '<': 'lt',
  '<=': 'le',
  '>': 'gt',
  '>=': 'ge',
};

/** By recursive descent: one method for each rule of the grammar. */
class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  alternatives(): Predicate {
    return this.#group('any', 'or', () => this.#group('all', 'and', () => this.#member()));
  }

  end(): void {
    if (this.#next.kind !== 'end') throw this.#expected('"and", "or" or the end');
  }

  #group(kind: 'all' | 'any', word: string, member: () => Predicate): Predicate {
    const predicates = [member()];
    while (this.#takeWord(word)) predicates.push(member());
    return predicates.length === 1 ? predicates[0] : { kind, predicates };
  }

  #member(): Predicate {
    if (this.#takeWord('true')) return { kind: 'all', predicates: [] };
    if (this.#takeWord('false')) return { kind: 'any', predicates: [] };
    const { column } = this.#next;
    if (this.#takeWord('not'))
      return this.#deeper(column, () => ({ kind: 'not', predicate: this.#member() }));
    if (!this.#takeSymbol('(')) return sound(this.#test(), column);
    return this.#deeper(column, () => {
      const predicate = this.alternatives();
      if (!this.#takeSymbol(')')) throw this.#expected('"and", "or" or ")"');
      return predicate;
    });
  }

  #deeper(column: number, read: () => Predicate): Predicate {
    if (++this.#depth > PREDICATE_DEPTH_MAX)
      throw new PredicateTextError(column, `nested deeper than ${PREDICATE_DEPTH_MAX} levels`);
    const predicate = read();
    this.#depth--;
    return predicate;
  }

  #test(): Predicate {
    if (this.#takeWord('exists')) return { kind: 'exists', field: this.#field() };
    const field = this.#field();
    const comparison = this.#next.kind === 'symbol' ? COMPARISONS[this.#next.text] : undefined;
    if (comparison) {
      this.#at++;
      return { kind: comparison, field, literal: this.#literal() };
    }
    if (this.#takeWord('contains')) return { kind: 'contains', field, literal: this.#literal() };
    if (this.#takeWord('prefix')) return { kind: 'prefix', field, text: this.#text() };
    if (this.#takeWord('like')) return { kind: 'like', field, text: this.#text() };
    if (this.#takeWord('in')) return { kind: 'in', field, literals: this.#literals() };
    if (this.#takeWord('between')) return this.#between(field);
    throw this.#expected('a comparison, such as =, <, in, between, like, prefix or contains,');
  }

  #between(field: Field): Predicate {
    const low = this.#literal();
    if (!this.#takeWord('and')) throw this.#expected('"and"');
    return { kind: 'between', field, low, high: this.#literal() };
  }

  #field(): Field {
    const { text } = this.#next;
    if (text.startsWith('$') && this.#next.kind === 'symbol') {
      if (!['$key', '$stamp', '$value'].includes(text))
        throw this.#expected('$key, $stamp or $value');
      this.#at++;
      return text === '$value'
        ? { kind: 'value', steps: [] }
        : { kind: text === '$key' ? 'key' : 'stamp' };
    }
    const steps = [this.#isSymbol('[') ? this.#element() : this.#name()];
    for (;;) {
      if (this.#isSymbol('[')) steps.push(this.#element());
      else if (this.#takeSymbol('.')) steps.push(this.#name());
      else return { kind: 'value', steps };
    }
  }

  #name(): string {
    const { kind, text } = this.#next;
    if (kind !== 'quoted name' && (kind !== 'word' || isPredicateWord(text)))
      throw this.#expected('a field');
    this.#at++;
    return text;
  }

  /** `[0]`, or the name of a member in brackets. */
  #element(): string | number {
    this.#at++;
    const { kind, text } = this.#next;
    const isIndex = kind === 'number' && /^\d+$/.test(text);
    if (!isIndex && kind !== 'text' && kind !== 'quoted name')
      throw this.#expected('the index of an element or a quoted name');
    this.#at++;
    if (!this.#takeSymbol(']')) throw this.#expected('"]"');
    return isIndex ? Number(text) : text;
  }

  #literals(): Literal[] {
    if (!this.#takeSymbol('(')) throw this.#expected('"("');
    const literals: Literal[] = [];
    if (this.#takeSymbol(')')) return literals;
    do literals.push(this.#literal());
    while (this.#takeSymbol(','));
    if (!this.#takeSymbol(')')) throw this.#expected('"," or ")"');
    return literals;
  }

  #literal(): Literal {
    if (this.#takeWord('true')) return true;
    if (this.#takeWord('false')) return false;
    if (this.#takeWord('null')) return null;
    const { kind, text } = this.#next;
    if (kind === 'number') {
      this.#at++;
      return Number(text);
    }
    return this.#text("a literal, such as 18, 'text', true or null,");
  }

  /** In quotes of either kind. */
  #text(what = "a text in quotes, such as 'a',"): string {
    const { kind, text } = this.#next;
    if (kind !== 'text' && kind !== 'quoted name') throw this.#expected(what);
    this.#at++;
    return text;
  }

  get #next(): Token {
    return this.#tokens[this.#at];
  }

  #isSymbol(symbol: string): boolean {
    return this.#next.kind === 'symbol' && this.#next.text === symbol;
  }

  #takeSymbol(symbol: string): boolean {
    if (!this.#isSymbol(symbol)) return false;
    this.#at++;
    return true;
  }

  #takeWord(word: string): boolean {
    if (this.#next.kind !== 'word' || this.#next.text.toLowerCase() !== word) return false;
    this.#at++;
    return true;
  }

  #expected(what: string): PredicateTextError {
    const { kind, text, column } = this.#next;
    const found = kind === 'end' ? 'the end' : JSON.stringify(text);
    return new PredicateTextError(column, `${what} is expected, not ${found}`);
  }
}

function sound(predicate: Predicate, column: number): Predicate {
  try {
    checkPredicate(predicate);
    return predicate;
  } catch (error) {
    if (error instanceof PredicateError) throw new PredicateTextError(column, error.message);
    throw error;
  }
}
