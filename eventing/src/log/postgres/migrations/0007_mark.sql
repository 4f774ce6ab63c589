-- What the last transaction that moved the head, or barred those under way, left there. Each leaves another.
ALTER TABLE segue.log_head ADD COLUMN mark UUID;
