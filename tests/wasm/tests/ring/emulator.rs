//! The emulator itself, tried with modules of a few lines: a ring that cannot see a fault proves nothing.

use portcullis_wasm_tests::{Fault, Host, Outcome, Status, module};

const GET: &[(&str, &str)] = &[(":method", "GET"), (":path", "/"), (":authority", "example.com"), ("x-one", "1")];

/// A module with these callbacks. It has one page of memory, and an allocator that never frees.
fn host(callbacks: &str) -> Host {
    let text = format!(
        r#"(module
            (import "env" "proxy_get_header_map_pairs" (func $pairs (param i32 i32 i32) (result i32)))
            (import "env" "proxy_remove_header_map_value" (func $remove (param i32 i32 i32) (result i32)))
            (import "env" "proxy_replace_header_map_value" (func $replace (param i32 i32 i32 i32 i32) (result i32)))
            (import "env" "proxy_continue_stream" (func $continue (param i32) (result i32)))
            (import "env" "proxy_send_local_response" (func $reply (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "x-one")
            (data (i32.const 16) "a\r\nb")
            (global $top (mut i32) (i32.const 1024))
            (func (export "proxy_on_memory_allocate") (param i32) (result i32)
                (global.get $top) (global.set $top (i32.add (global.get $top) (local.get 0))))
            {callbacks})"#
    );
    Host::boot_modules(vec![("by-hand".to_owned(), module::from_text(&text))])
}

/// Removes `x-one` and goes on; holds the request when the headers cannot be read.
const STRIP: &str = r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (if (call $pairs (i32.const 0) (i32.const 64) (i32.const 68)) (then (return (i32.const 1))))
    (call $remove (i32.const 0) (i32.const 0) (i32.const 5)))"#;

#[test]
fn an_edit_reaches_the_upstream() {
    let outcome = host(STRIP).request(GET);
    assert_eq!(outcome.upstream().names(), [":method", ":path", ":authority"]);
}

#[test]
fn a_planned_status_reaches_the_module() {
    for status in Status::failures() {
        let mut host = host(STRIP);
        host.fail("proxy_get_header_map_pairs", Fault::Status(status));
        assert_eq!(host.request(GET), Outcome::Held, "{status:?}");
        assert!(host.has_met("proxy_get_header_map_pairs"));
        host.heal();
        assert!(host.request(GET).is_continued(), "{status:?}");
    }
}

#[test]
fn a_spoiled_answer_reaches_the_module() {
    // Goes on only when the size of what it got is the one given.
    let returns_size = |size: u32| {
        format!(
            r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
                (drop (call $pairs (i32.const 0) (i32.const 64) (i32.const 68)))
                (i32.ne (i32.load (i32.const 68)) (i32.const {size})))"#
        )
    };
    let honest = 4
        + 4 * 8
        + (":method".len() + "GET".len() + ":path".len() + "/".len())
        + (":authority".len() + "example.com".len() + "x-one".len() + "1".len())
        + 8;
    let honest = u32::try_from(honest).unwrap();
    let cases = [(None, honest), (Some(Fault::NullData), 0), (Some(Fault::HugeCount), honest), (Some(Fault::Garbage), 37)];
    for (fault, size) in cases {
        let mut host = host(&returns_size(size));
        if let Some(fault) = fault {
            host.fail("proxy_get_header_map_pairs", fault);
        }
        assert!(host.request(GET).is_continued(), "{fault:?}");
    }
}

#[test]
#[should_panic(expected = "trapped in proxy_on_request_headers")]
fn a_trap_fails_the_test() {
    host(r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) unreachable)"#).request(GET);
}

#[test]
#[should_panic(expected = "a request was resumed that this module does not hold")]
fn a_resume_of_what_is_not_held_fails_the_test() {
    host(
        r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            (drop (call $continue (i32.const 0))) (i32.const 1))"#,
    )
    .request(GET);
}

#[test]
#[should_panic(expected = "a request was answered twice")]
fn a_second_answer_fails_the_test() {
    let reply = "(drop (call $reply (i32.const 403) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) \
                 (i32.const 0) (i32.const -1)))";
    host(&format!(
        r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) {reply} {reply} (i32.const 1))"#
    ))
    .request(GET);
}

#[test]
#[should_panic(expected = "a request was let go that was answered or closed")]
fn an_answer_to_what_goes_on_fails_the_test() {
    host(
        r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            (call $reply (i32.const 403) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
                (i32.const -1)))"#,
    )
    .request(GET);
}

#[test]
#[should_panic(expected = "would split the request")]
fn a_header_value_with_a_line_break_fails_the_test() {
    host(
        r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            (call $replace (i32.const 0) (i32.const 0) (i32.const 5) (i32.const 16) (i32.const 4)))"#,
    )
    .request(GET);
}
