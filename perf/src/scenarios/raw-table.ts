import { keyText, MAP, valueText } from '../load/operation-template.js';
import { type Random, SEED, seededRandom } from '../load/random.js';
import type { Database, TidewireServer } from '../server-under-test.js';

const COLUMNS = 'map, key, value, kind, hlc, node, partition, sequence, expires_at, deleted';
const JSON_KIND = 1;

/** One statement for any number of rows, as a program without Tidewire would write them. */
const UPSERT = `
  INSERT INTO bench.record (${COLUMNS})
  SELECT '${MAP}', key, value, ${JSON_KIND}, hlc, 1, 1, hlc, NULL, false
  FROM unnest($1::text[], $2::bytea[], $3::int8[]) AS batch (key, value, hlc)
  ON CONFLICT (map, key) DO UPDATE SET value = excluded.value, kind = excluded.kind,
    hlc = excluded.hlc, node = excluded.node, partition = excluded.partition,
    sequence = excluded.sequence, expires_at = excluded.expires_at, deleted = excluded.deleted`;

/**
 * What a user would do without us: rows written straight into a table of the same columns and key,
 * with the same rows in it, in the same database, by the driver that the server uses.
 */
export class RawTable {
  readonly #sql: Database;
  readonly #keys: number;
  readonly #valueBytes: number;
  readonly #random: Random = seededRandom(SEED);
  #write = 0;

  private constructor(sql: Database, keys: number, valueBytes: number) {
    this.#sql = sql;
    this.#keys = keys;
    this.#valueBytes = valueBytes;
  }

  /** Copies the server's rows, which must have been flushed. */
  static async open(
    server: TidewireServer,
    plan: { readonly keys: number; readonly valueBytes: number },
  ): Promise<RawTable> {
    const sql = await server.openDatabase();
    await sql.unsafe(`
      CREATE SCHEMA bench;
      CREATE TABLE bench.record (LIKE tidewire.record INCLUDING ALL);
      INSERT INTO bench.record SELECT * FROM tidewire.record`);
    await sql.unsafe('ANALYZE bench.record');
    return new RawTable(sql, plan.keys, plan.valueBytes);
  }

  /** Overwrites `count` different rows, drawn uniformly, in one statement and transaction. */
  async upsert(count: number): Promise<void> {
    const numbers = new Set<number>();
    while (numbers.size < count) numbers.add(Math.floor(this.#random() * this.#keys));
    const sorted = [...numbers].sort((left, right) => left - right);
    const values = sorted.map(() => this.#nextValue());
    const stamps = sorted.map(() => ++this.#write);
    const parameters = [sorted.map(keyText), values, stamps].map((array) => `{${array.join()}}`);
    const { count: written } = await this.#sql.unsafe(UPSERT, parameters, { prepare: true });
    if (written !== count) throw new Error(`the table took ${written} of ${count} rows`);
  }

  /** Rows in the table. */
  async count(): Promise<number> {
    const [row] = await this.#sql.unsafe('SELECT count(*)::int4 AS count FROM bench.record');
    return Number(row['count']);
  }

  async close(): Promise<void> {
    await this.#sql.end();
  }

  #nextValue(): string {
    const write = this.#write.toString(16).padStart(8, '0');
    return `"\\\\x${Buffer.from(valueText(this.#valueBytes, write)).toString('hex')}"`;
  }
}

/**
 * The server's rows of keys up to `count` under another map, as the text that COPY reads.
 *
 * Over a connection of its own: postgres.js may leave the socket paused that a COPY was read from.
 */
export async function rowsForCopy(
  server: TidewireServer,
  map: string,
  count: number,
): Promise<Buffer> {
  const sql = await server.openDatabase();
  const columns = COLUMNS.replace('map', `'${map}'`);
  const query = `
    COPY (SELECT ${columns} FROM tidewire.record WHERE map = '${MAP}' ORDER BY key LIMIT ${count})
    TO STDOUT`;
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of await sql.unsafe(query).readable()) chunks.push(chunk as Buffer);
  } finally {
    await sql.end({ timeout: 0 });
  }
  return Buffer.concat(chunks);
}

/** One COPY of `rows` into the server's own table; resolves once it is committed. */
export async function copyRows(sql: Database, rows: Buffer): Promise<void> {
  const target = await sql.unsafe(`COPY tidewire.record (${COLUMNS}) FROM STDIN`).writable();
  await new Promise<void>((resolve, reject) => {
    target.once('error', reject);
    target.once('finish', resolve);
    target.end(rows);
  });
}
