-- Which payload of a package a job has given to its device, which ones the device refused, and how far a job came.

ALTER TABLE jobs ADD COLUMN payload_index INTEGER NOT NULL DEFAULT -1;
ALTER TABLE jobs ADD COLUMN payloads_refused INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN percent INTEGER NOT NULL DEFAULT 0;
