-- A job may ask a device to go back to its backup image instead of installing a package.

ALTER TABLE jobs ADD COLUMN goal INTEGER NOT NULL DEFAULT 0;  -- 0 install, 1 rollback
