//! Counts requests by what was decided about them.

portcullis_host::plugin!(Metrics: log, delete);
