//! What each built module offers and asks for. Every callback that a module exports costs a crossing on each request, and every
//! import is something that it can do to a request.

use portcullis_wasm_tests::module;

/// What every module exports.
const ALWAYS: [&str; 7] = [
    "_initialize",
    "memory",
    "proxy_abi_version_0_2_1",
    "proxy_on_configure",
    "proxy_on_context_create",
    "proxy_on_memory_allocate",
    "proxy_on_vm_start",
];

/// The WASI functions that Envoy offers and Rust's standard library asks for.
const WASI: [&str; 7] =
    ["clock_time_get", "environ_get", "environ_sizes_get", "fd_write", "proc_exit", "random_get", "sched_yield"];

/// The imports by which a module edits, answers or ends a request.
const DECIDING: [&str; 5] = [
    "env.proxy_add_header_map_value",
    "env.proxy_close_stream",
    "env.proxy_remove_header_map_value",
    "env.proxy_replace_header_map_value",
    "env.proxy_send_local_response",
];

/// The imports by which a module lets a request go on that it held, and rings itself. The second is part of the runner that sends
/// fetches for any stage; it does nothing in a module that exports no `proxy_on_tick`.
const WAITING: [&str; 2] = ["env.proxy_continue_stream", "env.proxy_set_tick_period_milliseconds"];

#[test]
fn exports_the_callbacks_of_its_stages_and_no_others() {
    let cases: [(&str, &[&str]); 5] = [
        ("jwt_auth", &["proxy_on_delete", "proxy_on_http_call_response", "proxy_on_request_headers", "proxy_on_tick"]),
        (
            "auth_header",
            &[
                "proxy_on_delete",
                "proxy_on_http_call_response",
                "proxy_on_request_headers",
                "proxy_on_response_headers",
                "proxy_on_tick",
            ],
        ),
        // Where something is to be done at the end of a configuration, streams are forgotten in the same callback.
        (
            "audit_log",
            &["proxy_on_done", "proxy_on_http_call_response", "proxy_on_log", "proxy_on_request_headers", "proxy_on_tick"],
        ),
        ("metrics", &["proxy_on_delete", "proxy_on_log"]),
        (
            "portcullis",
            &[
                "proxy_on_done",
                "proxy_on_http_call_response",
                "proxy_on_log",
                "proxy_on_request_headers",
                "proxy_on_response_headers",
                "proxy_on_tick",
            ],
        ),
    ];
    for (name, callbacks) in cases {
        let mut expected = [&ALWAYS, callbacks].concat();
        expected.sort_unstable();
        assert_eq!(module::exports(&module::compiled(name)), expected, "{name}");
    }
}

#[test]
fn imports_only_the_interface_and_a_little_of_wasi() {
    for name in module::MODULES {
        for import in module::imports(&module::compiled(name)) {
            let is_known = match import.split_once('.') {
                Some(("env", function)) => function.starts_with("proxy_"),
                Some(("wasi_snapshot_preview1", function)) => WASI.contains(&function),
                _ => false,
            };
            assert!(is_known, "{name} imports {import}");
        }
    }
}

#[test]
fn a_module_can_do_no_more_to_a_request_than_its_stages() {
    let cases: [(&str, &[&str]); 5] = [
        ("jwt_auth", &[DECIDING.as_slice(), &WAITING].concat()),
        ("auth_header", &[DECIDING.as_slice(), &WAITING].concat()),
        // With `overflow: block` it refuses requests that could not be recorded.
        ("audit_log", &[DECIDING.as_slice(), &WAITING].concat()),
        ("metrics", &[]),
        ("portcullis", &[DECIDING.as_slice(), &WAITING].concat()),
    ];
    for (name, expected) in cases {
        let imports = module::imports(&module::compiled(name));
        let can: Vec<_> =
            DECIDING.into_iter().chain(WAITING).filter(|import| imports.iter().any(|found| found == import)).collect();
        assert_eq!(can, expected, "{name}");
    }
}

#[test]
fn stays_small() {
    // The proxy compiles a module when it starts and keeps a copy for each worker. There is room for a build without wasm-opt, and
    // for little more: what grows beyond is to be looked at.
    let ceiling = |name: &str| match name {
        "portcullis" => 1_850_000,
        "jwt_auth" => 1_150_000,
        "auth_header" => 800_000,
        "audit_log" => 950_000,
        "metrics" => 400_000,
        other => panic!("there is no ceiling for {other}"),
    };
    for name in module::MODULES {
        let size = std::fs::metadata(module::file(name)).unwrap().len();
        println!("{name}: {size} bytes");
        assert!(size < ceiling(name), "{name} has {size} bytes");
    }
}
