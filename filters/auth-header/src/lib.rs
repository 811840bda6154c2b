//! Removes identity headers that a client forged, and tells the upstream who is calling.

portcullis_host::plugin!(AuthHeader: request_headers, response_headers, tick, http_call_response, delete);
