-- Forgetting a person deletes their receipts, and the names that a restored log gave back to them.
CREATE INDEX receipts_by_subject ON segue.receipts (subject) WHERE subject IS NOT NULL;
CREATE INDEX claims_by_stream ON segue.claims (stream);
