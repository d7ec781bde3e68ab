/** A piece of a predicate's text form. */
export interface Token {
  readonly kind: 'word' | 'number' | 'text' | 'quoted name' | 'symbol' | 'end';
  /** As written; of texts and quoted names what they stand for. */
  readonly text: string;
  /** Where it begins, in characters from 1 on. */
  readonly column: number;
}

/** The text form cannot be read. */
export class PredicateTextError extends Error {
  override name = 'PredicateTextError';
  /** Where, in characters from 1 on. */
  readonly column: number;

  constructor(column: number, problem: string) {
    super(`At column ${column}: ${problem}.`);
    this.column = column;
  }
}

const TOKEN = new RegExp(
  [
    String.raw`(?<word>[\p{L}_][\p{L}\p{N}_]*)`,
    String.raw`(?<number>-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\p{L}\p{N}_.]))`,
    `(?<text>'(?:[^']|'')*')`,
    `(?<name>"(?:[^"]|"")*")`,
    String.raw`(?<symbol><=|>=|<>|!=|==|[=<>()\[\],.]|\$[a-z]*)`,
  ].join('|'),
  'uy',
);
const BLANK = /\s*/uy;

/** @throws PredicateTextError at the first character that begins no token. */
export function tokensOf(source: string): Token[] {
  const tokens: Token[] = [];
  let offset = 0;
  let column = 1;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = offset;
    const match = pattern.exec(source);
    offset += match?.[0].length ?? 0;
    return match;
  };
  for (;;) {
    column += lengthOf(take(BLANK)?.[0] ?? '');
    if (offset === source.length) break;
    const match = take(TOKEN);
    if (!match) throw new PredicateTextError(column, problemAt(source.slice(offset)));
    tokens.push({ ...tokenOf(match), column });
    column += lengthOf(match[0]);
  }
  tokens.push({ kind: 'end', text: '', column });
  return tokens;
}

function lengthOf(text: string): number {
  let characters = 0;
  for (const _ of text) characters++;
  return characters;
}

function tokenOf(match: RegExpExecArray): Pick<Token, 'kind' | 'text'> {
  const { word, number, text, name } = match.groups!;
  if (word !== undefined) return { kind: 'word', text: word };
  if (number !== undefined) return { kind: 'number', text: number };
  if (text !== undefined) return { kind: 'text', text: unquoted(text) };
  if (name !== undefined) return { kind: 'quoted name', text: unquoted(name) };
  return { kind: 'symbol', text: match[0] };
}

/** A quote within is written twice. */
function unquoted(text: string): string {
  const quote = text[0];
  return text.slice(1, -1).replaceAll(quote + quote, quote);
}

function problemAt(rest: string): string {
  if (rest[0] === "'" || rest[0] === '"') return `the closing ${rest[0]} is missing`;
  if (/^-?\d/.test(rest)) return 'this is not a number as in JSON';
  return `${JSON.stringify(String.fromCodePoint(rest.codePointAt(0)!))} means nothing here`;
}
