//! Header maps and buffers.

use super::Function;
use crate::headers::Headers;
use crate::host_call::{Answer, HostCall};
use crate::status::Status;
use crate::vm::Context;

const REQUEST: u32 = 0;
const RESPONSE: u32 = 2;
const CALL_ANSWER: u32 = 6;

const CALL_ANSWER_BODY: u32 = 4;
const VM_CONFIGURATION: u32 = 6;
const PLUGIN_CONFIGURATION: u32 = 7;

pub(super) const FUNCTIONS: &[Function] = &[
    ("proxy_get_buffer_bytes", "iiiii", get_buffer_bytes),
    ("proxy_get_header_map_pairs", "iii", get_header_map_pairs),
    ("proxy_get_header_map_value", "iiiii", get_header_map_value),
    ("proxy_get_header_map_size", "ii", get_header_map_size),
    ("proxy_replace_header_map_value", "iiiii", |call| edit(call, Headers::replace)),
    ("proxy_add_header_map_value", "iiiii", |call| edit(call, Headers::add)),
    ("proxy_remove_header_map_value", "iii", |call| {
        let name = call.bytes(1)?;
        change(call, |headers| headers.remove(&name))
    }),
];

fn get_buffer_bytes(call: &mut HostCall<'_, '_>) -> Answer {
    let buffer = match (call.word(0), call.vm().context()) {
        (CALL_ANSWER_BODY, _) => call.vm().call_answer.as_ref().map(|(_, body)| body.clone()),
        (VM_CONFIGURATION, _) => Some(Vec::new()),
        (PLUGIN_CONFIGURATION, Some(Context::Root { configuration, .. })) => Some(configuration.clone()),
        _ => None,
    };
    let buffer = buffer.ok_or(Status::NOT_FOUND)?;
    let (start, length) = (call.word(1) as usize, call.word(2) as usize);
    let end = start.checked_add(length).ok_or(Status::BAD_ARGUMENT)?.min(buffer.len());
    match buffer.get(start..end) {
        // Envoy leaves pointer and size as they were when there is nothing to copy.
        None | Some([]) => Ok(()),
        Some(bytes) => call.return_bytes(3, bytes.to_vec()),
    }
}

/// The map of the first argument; none when it cannot be reached in this phase.
fn map(call: &mut HostCall<'_, '_>) -> Option<Headers> {
    let kind = call.word(0);
    if kind == CALL_ANSWER {
        return call.vm().call_answer.as_ref().map(|(headers, _)| headers.clone());
    }
    let Some(Context::Stream { has_request, has_response, .. }) = call.vm().context() else { return None };
    let is_there = (kind == REQUEST && *has_request) || (kind == RESPONSE && *has_response);
    let stream = call.stream().filter(|_| is_there)?;
    Some(if kind == REQUEST { stream.request.clone() } else { stream.response.clone() })
}

fn get_header_map_pairs(call: &mut HostCall<'_, '_>) -> Answer {
    // A map that is not there reads as an empty one, unlike a single value.
    let headers = map(call).unwrap_or_default();
    call.return_bytes(1, headers.to_bytes())
}

fn get_header_map_size(call: &mut HostCall<'_, '_>) -> Answer {
    let headers = map(call).unwrap_or_default();
    let size = u32::try_from(headers.to_bytes().len()).map_err(|_| Status::INTERNAL_FAILURE)?;
    call.return_word(1, size)
}

fn get_header_map_value(call: &mut HostCall<'_, '_>) -> Answer {
    let name = call.bytes(1)?;
    let headers = map(call).ok_or(Status::BAD_ARGUMENT)?;
    let value = headers.first(&name).ok_or(Status::NOT_FOUND)?;
    call.return_bytes(3, value)
}

fn edit(call: &mut HostCall<'_, '_>, how: fn(&mut Headers, &[u8], &[u8])) -> Answer {
    let (name, value) = (call.bytes(1)?, call.bytes(3)?);
    if value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
        let name = String::from_utf8_lossy(&name).into_owned();
        call.state().violation(format!("the value of {name} would split the request"));
    }
    change(call, |headers| how(headers, &name, &value))
}

fn change(call: &mut HostCall<'_, '_>, how: impl FnOnce(&mut Headers)) -> Answer {
    let is_request = call.word(0) == REQUEST;
    let Some(Context::Stream { has_request, has_response, .. }) = call.vm().context() else {
        return Err(Status::BAD_ARGUMENT.into());
    };
    let is_there = if is_request { *has_request } else { *has_response && call.word(0) == RESPONSE };
    let mut stream = call.stream().filter(|_| is_there).ok_or(Status::BAD_ARGUMENT)?;
    how(if is_request { &mut stream.request } else { &mut stream.response });
    Ok(())
}
