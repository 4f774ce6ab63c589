-- The subject keys, each wrapped under the master key. In a schema of their own, so that a backup can leave them out.
CREATE SCHEMA IF NOT EXISTS segue_keys;
CREATE TABLE segue_keys.deployment (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), pepper BYTEA NOT NULL);
CREATE TABLE segue_keys.subject_keys (subject UUID PRIMARY KEY, wrapped BYTEA NOT NULL);
-- Only grows; its number tells what is new.
CREATE TABLE segue_keys.destroyed (no BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, subject UUID NOT NULL UNIQUE, destroyed_at BIGINT NOT NULL);
