//! All of Portcullis in one VM and one pass: metrics, audit-log, jwt-auth, auth-header.

portcullis_host::plugin!(Bundle: request_headers, response_headers, tick, http_call_response, log_and_send, done);
