import { type Case, type Group, type Name, TRANSPORT_NAMES } from './conformance.js';

export type Outcomes = ReadonlyMap<Case, Readonly<Partial<Record<Name, string>>>>;
export type Verdict = 'right' | 'allowed' | 'deviates';

/** How an outcome compares with what the RFC says. */
export function verdictOf({ expected }: Case, outcome: string): Verdict {
  if (outcome === expected[0]) return 'right';
  return expected.includes(outcome) ? 'allowed' : 'deviates';
}

const HEAD = `# How the transports keep to the WebSocket protocol

Both transports, each as it is shipped, play the same cases against a client of raw TCP that shares no code with either
(\`packages/gateway/test/raw-socket.ts\`). The cases cover what the well-known suites of the protocol cover: framing, 64-bit lengths,
fragments, reserved bits, opcodes, UTF-8, masking, ping and pong, close codes, handshakes and half-closed connections. This page is
written by \`npx -y pnpm@12.21.0 -s conformance\`; the test suite plays every case too and fails where an outcome differs from this page.

An outcome is what the client hears, in order: \`echo\` or \`text\` for its own message, \`pong\`, \`close\` with its code, and whether the
connection is then \`open\` or at its \`end\`. Of handshakes it is the status. **right**: as RFC 6455 recommends. **allowed**: another
thing that it permits, as to end the connection without a close frame. **deviates**: neither.
`;

const TAIL = `## What the deviations of uws come to

All are of the library, and none reaches the gateway as anything but a message, a close or nothing:

- It does not look at the mask bit and takes the four bytes behind the length for the key, so a frame without a mask is read as
  garbage; the next frame then begins at a wrong place, which ends the connection.
- A message that begins between the fragments of another is joined to it.
- A close frame with a code or reason that none may send is answered by a close frame without a code, not by 1002 or 1007.
- A wrong header line is not answered; the connection ends with the time for handshakes. Headers may be as long as what one read takes.

Where uws ends a connection without a close frame, a client sees 1006. So Tidewire announces its limits in Welcome, and refuses
frames between its own limit (64 KiB) and the transport's (128 KiB) by an error of its own.
`;

export function conformancePage(groups: readonly Group[], outcomes: Outcomes): string {
  const tables = groups.map((group) => groupTable(group, outcomes));
  return [HEAD, summary(groups, outcomes), ...tables, TAIL].join('\n');
}

function summary(groups: readonly Group[], outcomes: Outcomes): string {
  const cases = groups.flatMap((group) => group.cases);
  const rows = TRANSPORT_NAMES.map((name) => {
    const verdicts = cases.map((play) => verdictOf(play, outcomes.get(play)?.[name] ?? ''));
    const count = (verdict: Verdict): number => verdicts.filter((v) => v === verdict).length;
    return `| ${name} | ${cases.length} | ${count('right')} | ${count('allowed')} | ${count('deviates')} |\n`;
  });
  return `| transport | cases | right | allowed | deviates |\n| --- | --- | --- | --- | --- |\n${rows.join('')}`;
}

export function groupTable(group: Group, outcomes: Outcomes): string {
  const rows = group.cases.map((play) => {
    const cells = TRANSPORT_NAMES.map((name) => cellOf(play, outcomes.get(play)?.[name] ?? ''));
    const wanted = play.expected[0];
    return `| ${play.title} | ${play.section} | ${code(wanted)} | ${cells.join(' | ')} |\n`;
  });
  const head = '| case | RFC 6455 | recommended | uws | ws |\n| --- | --- | --- | --- | --- |\n';
  return `## ${group.title}\n\n${head}${rows.join('')}`;
}

function cellOf(play: Case, outcome: string): string {
  const verdict = verdictOf(play, outcome);
  if (verdict === 'right') return verdict;
  return `${verdict === 'deviates' ? '**deviates**' : verdict}: ${code(outcome)}`;
}

/** Ten pongs need not be spelt out. */
function code(outcome: string): string {
  return `\`${outcome.length > 60 ? `${outcome.slice(0, 30)} … ${outcome.slice(-12)}` : outcome}\``;
}
