-- Public halves of keys that must not sign the log any more: they signed a longer history than it holds, or another one.
CREATE TABLE segue_keys.retired_audit_keys (no BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key TEXT NOT NULL UNIQUE);
