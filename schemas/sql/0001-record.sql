-- Tidewire's tables, version 1. Explained column by column in docs/formats/table.md.
-- Runs once, in one transaction, on a database without a schema named tidewire.

CREATE SCHEMA tidewire;

-- One row: what the tables of this schema are.
CREATE TABLE tidewire.layout (
  id smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
  version int NOT NULL,
  partitions int NOT NULL
);

-- One row: who may write. Every flush holds it FOR SHARE.
CREATE TABLE tidewire.fence (
  id smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
  epoch bigint NOT NULL,
  connection bigint NOT NULL
);

CREATE TABLE tidewire.record (
  map text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  value bytea NOT NULL,
  kind smallint NOT NULL,
  hlc bigint NOT NULL,
  node int NOT NULL,
  partition smallint NOT NULL,
  sequence bigint NOT NULL,
  expires_at bigint,
  deleted boolean NOT NULL,
  PRIMARY KEY (map, key)
);

-- Records that the table refused, whole.
CREATE TABLE tidewire.dead_letter (
  LIKE tidewire.record,
  epoch bigint NOT NULL,
  reason text NOT NULL,
  refused_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (map, key)
);

-- Per partition and epoch: the sequence up to which everything was in the table.
CREATE TABLE tidewire.partition_base (
  partition smallint NOT NULL,
  epoch bigint NOT NULL,
  sequence bigint NOT NULL,
  PRIMARY KEY (partition, epoch)
);

-- Per partition: the highest stamp and sequence of a tombstone that was collected.
CREATE TABLE tidewire.partition_gc (
  partition smallint PRIMARY KEY,
  hlc bigint NOT NULL,
  node int NOT NULL,
  sequence bigint NOT NULL
);

-- The value as jsonb; NULL where it is not JSON that Postgres takes.
CREATE FUNCTION tidewire.json_of(kind smallint, value bytea) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
  IF kind <> 1 THEN
    RETURN NULL;
  END IF;
  RETURN pg_catalog.convert_from(value, 'UTF8')::jsonb;
EXCEPTION WHEN others THEN
  RETURN NULL;
END
$$;

-- What SQL reads: the records that stand.
CREATE VIEW tidewire.records AS
SELECT
  map,
  key,
  tidewire.json_of(kind, value) AS value,
  value AS bytes,
  kind,
  to_timestamp((hlc >> 16) / 1000.0) AS written_at,
  to_timestamp(expires_at / 1000.0) AS expires_at
FROM tidewire.record
WHERE NOT deleted AND (expires_at IS NULL OR expires_at > extract(epoch FROM now()) * 1000);
