-- What the last transaction that moved the head, or barred those under way, left there. Each leaves another; those of programs
-- that know only earlier shapes leave the one that was there.
ALTER TABLE segue.log_head ADD COLUMN mark UUID;
