-- A row of correlations stands for all records from first to position; where first is nothing, for the one at position.
ALTER TABLE segue.correlations ADD COLUMN first BIGINT;
