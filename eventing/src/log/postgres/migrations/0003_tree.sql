-- What is made from the log beside the appends: its Merkle tree, and which records belong to one request. Both go as far as the
-- size in merkle_frontier says. A tile here is full; those that are not are in the frontier's edge.
CREATE TABLE segue.merkle_tiles (level INTEGER NOT NULL, n BIGINT NOT NULL, hashes BYTEA NOT NULL, PRIMARY KEY (level, n));
CREATE TABLE segue.merkle_frontier (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), size BIGINT NOT NULL, edge BYTEA NOT NULL);
INSERT INTO segue.merkle_frontier VALUES (1, 0, '\x0000000000000000');
CREATE TABLE segue.signed_checkpoints (size BIGINT PRIMARY KEY, root BYTEA NOT NULL, note TEXT NOT NULL, signed_at BIGINT NOT NULL);
CREATE TABLE segue.correlations (correlation UUID NOT NULL, position BIGINT NOT NULL, PRIMARY KEY (correlation, position));
-- Hashes do not compress.
ALTER TABLE segue.merkle_tiles ALTER COLUMN hashes SET STORAGE EXTERNAL;
ALTER TABLE segue.merkle_frontier ALTER COLUMN edge SET STORAGE EXTERNAL;
-- The last checkpoint that was given out, kept beside the keys: a log that was put back to an older state is noticed by it.
CREATE TABLE segue_keys.published_checkpoint (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), size BIGINT NOT NULL, note TEXT NOT NULL);
