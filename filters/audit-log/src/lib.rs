//! Records what was done, by whom, and how it was decided.

portcullis_host::plugin!(AuditLog: log);
