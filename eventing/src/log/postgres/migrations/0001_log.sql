CREATE TABLE segue.log_head (
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1), position BIGINT NOT NULL, recorded_at BIGINT NOT NULL);
INSERT INTO segue.log_head VALUES (1, 0, 0);
-- A stream's number is the position of its first record.
CREATE TABLE segue.streams (no BIGINT PRIMARY KEY, name TEXT NOT NULL UNIQUE, version BIGINT NOT NULL, position BIGINT NOT NULL);
-- The columns beside an event's record are there to find it.
CREATE TABLE segue.events (
  position BIGINT PRIMARY KEY, stream BIGINT NOT NULL, version BIGINT NOT NULL, type TEXT COLLATE "C" NOT NULL,
  id UUID NOT NULL UNIQUE, leaf_hash BYTEA NOT NULL, record BYTEA NOT NULL, UNIQUE (stream, version));
CREATE INDEX events_by_type ON segue.events (type, position);
CREATE TABLE segue.claims (kind TEXT NOT NULL, digest BYTEA NOT NULL, stream TEXT NOT NULL, PRIMARY KEY (kind, digest));
CREATE TABLE segue.receipts (
  key BYTEA PRIMARY KEY, fingerprint BYTEA NOT NULL, answer BYTEA NOT NULL, subject UUID, position BIGINT NOT NULL, recorded_at BIGINT NOT NULL);
CREATE TABLE segue.blobs (digest BYTEA PRIMARY KEY, length BIGINT NOT NULL);
CREATE TABLE segue.blob_chunks (digest BYTEA NOT NULL, chunk BIGINT NOT NULL, data BYTEA NOT NULL, PRIMARY KEY (digest, chunk));
CREATE TABLE segue.checkpoints (name TEXT PRIMARY KEY, position BIGINT NOT NULL);
CREATE TABLE segue.dead_letters (
  consumer TEXT NOT NULL, stream TEXT NOT NULL, version BIGINT NOT NULL, position BIGINT NOT NULL, reason TEXT NOT NULL,
  attempts BIGINT NOT NULL, last_error TEXT NOT NULL, first_at BIGINT NOT NULL, state TEXT NOT NULL,
  PRIMARY KEY (consumer, stream, version));
-- Compressed and encrypted already.
ALTER TABLE segue.blob_chunks ALTER COLUMN data SET STORAGE EXTERNAL;
