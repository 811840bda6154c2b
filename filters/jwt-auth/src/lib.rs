//! Authenticates requests by JWT and applies the rule of the route.

portcullis_host::plugin!(JwtAuth: request_headers, tick, http_call_response, delete);
