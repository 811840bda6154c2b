//! What root contexts do: timers, requests to clusters, shared data, foreign functions.

use std::time::Duration;

use super::Function;
use crate::host_call::{Answer, HostCall};
use crate::state::{Call, CallId};
use crate::status::Status;
use crate::vm::Context;

pub(super) const FUNCTIONS: &[Function] = &[
    ("proxy_set_tick_period_milliseconds", "i", set_tick_period),
    ("proxy_done", "", done),
    ("proxy_http_call", "iiiiiiiiii", http_call),
    ("proxy_call_foreign_function", "iiiiii", call_foreign_function),
    ("proxy_get_shared_data", "iiiii", get_shared_data),
    ("proxy_set_shared_data", "iiiii", set_shared_data),
];

fn set_tick_period(call: &mut HostCall<'_, '_>) -> Answer {
    let period = call.word(0);
    match call.vm().context_mut() {
        Some(Context::Root { tick_milliseconds, .. }) => *tick_milliseconds = period,
        _ => call.state().violation("a tick period was set outside of a root context"),
    }
    Ok(())
}

fn done(call: &mut HostCall<'_, '_>) -> Answer {
    let id = call.vm().context_id();
    if !call.vm().pending.remove(&id) {
        call.state().violation("proxy_done, though no context asked for more time");
        return Err(Status::NOT_FOUND.into());
    }
    call.vm().done.push(id);
    Ok(())
}

fn http_call(call: &mut HostCall<'_, '_>) -> Answer {
    let (cluster, headers, body, _trailers) = (call.text(0)?, call.headers(2)?, call.bytes(4)?, call.headers(6)?);
    let timeout = Duration::from_millis(call.word(8).into());
    let has_all = [":method", ":path", ":authority"].into_iter().all(|name| headers.get(name).is_some());
    if !has_all || !call.state().clusters.contains(&cluster) {
        return Err(Status::BAD_ARGUMENT.into());
    }
    let (plugin, context) = (call.vm().plugin, call.vm().context_id());
    let is_of_root = matches!(call.vm().context(), Some(Context::Root { .. }));
    let id = {
        let mut state = call.state();
        state.calls_sent += 1;
        let id = CallId(state.calls_sent);
        state.calls.insert(id, Call { plugin, context, cluster, headers, body, timeout, is_of_root });
        id
    };
    call.return_word(9, id.0)
}

fn call_foreign_function(call: &mut HostCall<'_, '_>) -> Answer {
    let (name, argument) = (call.text(0)?, call.bytes(2)?);
    if name == "compress" {
        return call.return_bytes(4, zlib(&argument));
    }
    if name != "verify_signature" {
        return Err(Status::NOT_FOUND.into());
    }
    let answer = {
        let mut state = call.state();
        state.signatures_asked += 1;
        state.verify_signature.answer(&argument)?
    };
    call.return_bytes(4, answer)
}

/// The bytes as zlib (RFC 1950), in deflate blocks that are stored as they are.
fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut zlib = vec![0x78, 0x01];
    let blocks: Vec<_> = bytes.chunks(0xffff).collect();
    for (index, block) in blocks.iter().enumerate() {
        let length = u16::try_from(block.len()).expect("a block is short");
        zlib.push(u8::from(index + 1 == blocks.len()));
        zlib.extend([length.to_le_bytes(), (!length).to_le_bytes()].concat());
        zlib.extend(*block);
    }
    let sums = bytes.iter().fold((1_u32, 0_u32), |(low, high), byte| {
        let low = (low + u32::from(*byte)) % 65_521;
        (low, (high + low) % 65_521)
    });
    zlib.extend(((sums.1 << 16) | sums.0).to_be_bytes());
    zlib
}

fn get_shared_data(call: &mut HostCall<'_, '_>) -> Answer {
    let key = call.text(0)?;
    let (value, cas) = call.state().shared.get(&key).cloned().ok_or(Status::NOT_FOUND)?;
    call.return_bytes(2, value)?;
    call.return_word(4, cas)
}

fn set_shared_data(call: &mut HostCall<'_, '_>) -> Answer {
    let (key, value, cas) = (call.text(0)?, call.bytes(2)?, call.word(4));
    let mut state = call.state();
    // As in Envoy: 0 writes over whatever is there, and where nothing is, any number does.
    if let Some((_, current)) = state.shared.get(&key)
        && cas != 0
        && cas != *current
    {
        return Err(Status::CAS_MISMATCH.into());
    }
    state.shared_writes += 1;
    let version = state.shared_writes;
    state.shared.insert(key, (value, version));
    Ok(())
}
