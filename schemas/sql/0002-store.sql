-- From version 1 to 2: a random number that tells this database from every other, so that a client's
-- cursor of another one is recognised. Runs once, in one transaction.

ALTER TABLE tidewire.layout ADD COLUMN store bigint NOT NULL DEFAULT
  (('x' || left(gen_random_uuid()::text, 8) || right(gen_random_uuid()::text, 8))::bit(64)::bigint
    & 9223372036854775807);

UPDATE tidewire.layout SET version = 2;
