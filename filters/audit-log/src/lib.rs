//! Records what was done, by whom, and how it was decided.

portcullis_host::plugin!(AuditLog: request_headers, tick, http_call_response, log_and_send, done);
