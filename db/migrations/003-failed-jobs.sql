-- Finds the failures of one device without walking its history.

CREATE INDEX jobs_failed ON jobs (device, id) WHERE state = 9;
