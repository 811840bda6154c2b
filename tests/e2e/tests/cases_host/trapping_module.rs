//! A module of a few lines that traps on purpose in one callback, in place of one of ours with a bug in it.
//!
//! It authenticates by the number of headers: a request with few is refused, one with many passes, and one with very many arms the
//! trap. A new VM is unarmed. As ours it counts the seconds that it lives.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// The callbacks that the shipped modules export and a request can lead to.
pub const CALLBACKS: [&str; 6] = [
    "proxy_on_context_create",
    "proxy_on_request_headers",
    "proxy_on_http_call_response",
    "proxy_on_log",
    "proxy_on_delete",
    "proxy_on_tick",
];

/// The module, with its trap in this callback.
#[derive(Debug)]
pub struct Trapping {
    pub callback: &'static str,
    file: PathBuf,
}

const MODULE: &str = r#"(module
  (import "env" "proxy_send_local_response" (func $reply (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_tick_period_milliseconds" (func $set_tick (param i32) (result i32)))
  (import "env" "proxy_http_call" (func $call (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_define_metric" (func $define (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_increment_metric" (func $increment (param i32 i64) (result i32)))
  (memory (export "memory") 2)
  (global $armed (mut i32) (i32.const 0))
  (global $free (mut i32) (i32.const 65536))
  (global $ticks (mut i32) (i32.const 0))
  (data (i32.const 0) "upstream")
  (data (i32.const 128) "module=.=trapping;.;portcullis_vm_seconds_total")
  (data (i32.const 16)
    "\03\00\00\00"
    "\07\00\00\00\03\00\00\00" "\05\00\00\00\01\00\00\00" "\0a\00\00\00\01\00\00\00"
    ":method\00GET\00" ":path\00/\00" ":authority\00h\00")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "_initialize"))
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
    (local $place i32)
    (local.set $place (global.get $free))
    (global.set $free (i32.add (global.get $free) (i32.and (i32.add (local.get $size) (i32.const 15)) (i32.const -16))))
    (if (i32.gt_u (global.get $free) (i32.const 130000)) (then (global.set $free (i32.const 65536))))
    (local.get $place))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32)
    ;; trap: proxy_on_vm_start
    (i32.const 1))
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    ;; trap: proxy_on_configure
    (drop (call $set_tick (i32.const 50)))
    (drop (call $define (i32.const 0) (i32.const 128) (i32.const 47) (i32.const 192)))
    (i32.const 1))
  (func (export "proxy_on_context_create") (param i32 i32)
    ;; trap: proxy_on_context_create
  )
  (func (export "proxy_on_request_headers") (param $context i32) (param $headers i32) (param i32) (result i32)
    (if (i32.ge_s (local.get $headers) (i32.const 50)) (then
      (global.set $armed (i32.const 1))
      ;; trap: proxy_on_request_headers
      ;; hold
    ))
    (if (result i32) (i32.and (i32.ge_s (local.get $headers) (i32.const 25)) (i32.lt_s (local.get $headers) (i32.const 50)))
      (then (i32.const 0))
      (else
        (drop (call $reply (i32.const 403) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const -1)))
        (i32.const 1))))
  (func (export "proxy_on_http_call_response") (param i32 i32 i32 i32 i32)
    ;; trap: proxy_on_http_call_response
  )
  (func (export "proxy_on_done") (param i32) (result i32) (i32.const 1))
  (func (export "proxy_on_log") (param i32)
    ;; trap: proxy_on_log
  )
  (func (export "proxy_on_delete") (param i32)
    ;; trap: proxy_on_delete
  )
  (func (export "proxy_on_tick") (param i32)
    ;; trap: proxy_on_tick
    (global.set $ticks (i32.add (global.get $ticks) (i32.const 1)))
    (if (i32.eqz (i32.rem_u (global.get $ticks) (i32.const 20)))
      (then (drop (call $increment (i32.load (i32.const 192)) (i64.const 1))))))
)"#;

/// The request waits for the answer to a call.
const HOLD: &str = r"(drop (call $call (i32.const 0) (i32.const 8) (i32.const 16) (i32.const 61) (i32.const 0) (i32.const 0)
        (i32.const 0) (i32.const 0) (i32.const 5000) (i32.const 80)))
      (return (i32.const 1))";

impl Trapping {
    /// Writes the module into a folder.
    pub fn write(callback: &'static str, folder: &Path) -> Self {
        let at_start = matches!(callback, "proxy_on_vm_start" | "proxy_on_configure");
        let trap = if at_start { "unreachable" } else { "(if (global.get $armed) (then unreachable))" };
        let text = MODULE.replace(&format!(";; trap: {callback}\n"), &format!("{trap}\n"));
        assert_ne!(text, MODULE, "no place for a trap in {callback}");
        let text = if callback == "proxy_on_http_call_response" { text.replace(";; hold", HOLD) } else { text };
        let file = folder.join(callback).with_extension("wasm");
        fs::write(&file, wat::parse_str(&text).unwrap()).unwrap();
        Self { callback, file }
    }

    /// The filter, with what the shipped configurations say about failures.
    pub fn filter(&self) -> Value {
        self.filter_with("FAIL_RELOAD")
    }

    /// The filter, with this said about failures.
    pub fn filter_with(&self, failure_policy: &str) -> Value {
        json!({
            "name": self.callback,
            "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm", "config": {
                "name": self.callback,
                "root_id": self.callback,
                "failure_policy": failure_policy,
                "vm_config": {
                    "vm_id": self.callback,
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": {"local": {"filename": self.file}},
                },
            }},
        })
    }
}
