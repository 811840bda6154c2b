//! The proxy-wasm edge.
