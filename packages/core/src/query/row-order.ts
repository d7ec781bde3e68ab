/** A row of a sorted answer. */
export interface Row {
  readonly sortKey: Uint8Array;
  /** UTF-8 bytes. */
  readonly key: Uint8Array;
  /** An Event as an entry of Rows. */
  readonly event: Uint8Array;
}

export type RowOrder = (left: RowKeys, right: RowKeys) => number;

type RowKeys = Pick<Row, 'sortKey' | 'key'>;

/** By sort key, rows of the same by key, ascending also where the sort keys descend. */
export function rowOrder(isDescending: boolean): RowOrder {
  const sign = isDescending ? -1 : 1;
  return (left, right) =>
    sign * Buffer.compare(left.sortKey, right.sortKey) || Buffer.compare(left.key, right.key);
}
