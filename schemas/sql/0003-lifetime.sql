-- From version 2 to 3: tombstones are found by what is collected of their partition, and a presence
-- record is marked in its kind, by 32. Runs once, in one transaction.

CREATE INDEX record_tombstone ON tidewire.record (partition, sequence) WHERE deleted;

CREATE OR REPLACE FUNCTION tidewire.json_of(kind smallint, value bytea) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
  IF kind & 31 <> 1 THEN
    RETURN NULL;
  END IF;
  RETURN pg_catalog.convert_from(value, 'UTF8')::jsonb;
EXCEPTION WHEN others THEN
  RETURN NULL;
END
$$;

CREATE OR REPLACE VIEW tidewire.records AS
SELECT
  map,
  key,
  tidewire.json_of(kind, value) AS value,
  value AS bytes,
  (kind & 31)::smallint AS kind,
  to_timestamp((hlc >> 16) / 1000.0) AS written_at,
  to_timestamp(expires_at / 1000.0) AS expires_at,
  kind & 32 <> 0 AS while_connected
FROM tidewire.record
WHERE NOT deleted AND (expires_at IS NULL OR expires_at > extract(epoch FROM now()) * 1000);

UPDATE tidewire.layout SET version = 3;
