//! The functions of proxy-wasm ABI 0.2.1 that Portcullis imports, and the numbers they take.
//!
//! Each returns a status, 0 for success. Off wasm there is no proxy: each answers "unimplemented", so that the crate compiles
//! and its tests run natively.

/// Status: success.
pub const OK: u32 = 0;

/// Header map: of the request.
pub const MAP_REQUEST_HEADERS: u32 = 0;
/// Header map: of the answer to the request.
pub const MAP_RESPONSE_HEADERS: u32 = 2;
/// Header map: of the answer to an HTTP call.
pub const MAP_CALL_RESPONSE_HEADERS: u32 = 6;
/// Buffer: the body of the answer to an HTTP call.
pub const BUFFER_CALL_RESPONSE_BODY: u32 = 4;
/// Buffer: the plugin's configuration.
pub const BUFFER_PLUGIN_CONFIGURATION: u32 = 7;
/// Stream: the request's side of an HTTP exchange.
pub const STREAM_REQUEST: u32 = 0;

macro_rules! imports {
    ($(fn $name:ident($($argument:ident: $type:ty),* $(,)?);)*) => {
        // SAFETY: the signatures are those of ABI 0.2.1. The functions are safe to call with any argument: the proxy checks each
        // address and length against the module's memory, only reads what `*const u8` points to, and writes a result
        // through the `&mut`, or into a buffer that it asked `buffers` for.
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, reason = "this is where the proxy begins")]
        #[link(wasm_import_module = "env")]
        unsafe extern "C" {
            $(pub safe fn $name($($argument: $type),*) -> u32;)*
        }

        $(#[cfg(not(target_arch = "wasm32"))]
        #[allow(clippy::too_many_arguments, reason = "the interface has as many")]
        pub const fn $name($(_: $type),*) -> u32 {
            const UNIMPLEMENTED: u32 = 12;
            UNIMPLEMENTED
        })*
    };
}

imports! {
    fn proxy_log(level: u32, line: *const u8, line_size: usize);
    fn proxy_get_log_level(level: &mut u32);
    fn proxy_get_current_time_nanoseconds(time: &mut u64);
    fn proxy_set_tick_period_milliseconds(period: u32);
    fn proxy_get_buffer_bytes(buffer: u32, start: usize, size: usize, data: &mut usize, data_size: &mut usize);
    fn proxy_get_header_map_pairs(map: u32, data: &mut usize, data_size: &mut usize);
    fn proxy_remove_header_map_value(map: u32, name: *const u8, name_size: usize);
    fn proxy_replace_header_map_value(map: u32, name: *const u8, name_size: usize, value: *const u8, value_size: usize);
    fn proxy_add_header_map_value(map: u32, name: *const u8, name_size: usize, value: *const u8, value_size: usize);
    fn proxy_get_property(path: *const u8, path_size: usize, data: &mut usize, data_size: &mut usize);
    fn proxy_set_property(path: *const u8, path_size: usize, value: *const u8, value_size: usize);
    fn proxy_continue_stream(stream: u32);
    fn proxy_close_stream(stream: u32);
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    );
    fn proxy_http_call(
        cluster: *const u8,
        cluster_size: usize,
        headers: *const u8,
        headers_size: usize,
        body: *const u8,
        body_size: usize,
        trailers: *const u8,
        trailers_size: usize,
        timeout: u32,
        token: &mut u32,
    );
    fn proxy_call_foreign_function(
        name: *const u8,
        name_size: usize,
        argument: *const u8,
        argument_size: usize,
        data: &mut usize,
        data_size: &mut usize,
    );
    fn proxy_get_shared_data(key: *const u8, key_size: usize, data: &mut usize, data_size: &mut usize, version: &mut u32);
    fn proxy_set_shared_data(key: *const u8, key_size: usize, value: *const u8, value_size: usize, version: u32);
    fn proxy_set_effective_context(context: u32);
    fn proxy_done();
    fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, metric: &mut u32);
    fn proxy_increment_metric(metric: u32, amount: i64);
    fn proxy_record_metric(metric: u32, value: u64);
}
