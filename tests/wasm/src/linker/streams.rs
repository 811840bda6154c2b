//! What becomes of a stream: resumed, closed, answered. As in Envoy, each takes effect after the callback that asked.

use super::Function;
use crate::host_call::{Answer, HostCall};
use crate::state::{LocalReply, Progress};
use crate::status::Status;
use crate::vm::Context;

const REQUEST: u32 = 0;
const RESPONSE: u32 = 1;

pub(super) const FUNCTIONS: &[Function] = &[
    ("proxy_continue_stream", "i", continue_stream),
    ("proxy_close_stream", "i", close_stream),
    ("proxy_send_local_response", "iiiiiiii", send_local_response),
    ("proxy_set_effective_context", "i", set_effective_context),
];

fn continue_stream(call: &mut HostCall<'_, '_>) -> Answer {
    match call.word(0) {
        REQUEST => {}
        RESPONSE => return Ok(()),
        _ => return Err(Status::BAD_ARGUMENT.into()),
    }
    let plugin = call.vm().plugin;
    let Some(mut stream) = call.stream() else {
        call.state().violation("a request was resumed outside of any stream");
        return Ok(());
    };
    let violation = if stream.progress != Progress::HeldBy(plugin) {
        Some("a request was resumed that this module does not hold")
    } else if stream.is_resumed {
        Some("a request was resumed twice")
    } else if stream.reply.is_some() {
        Some("a request was resumed after its answer")
    } else {
        None
    };
    stream.is_resumed = true;
    drop(stream);
    if let Some(violation) = violation {
        call.state().violation(violation);
    }
    // Envoy takes the request's headers away here, so an edit behind this point is lost.
    if let Some(Context::Stream { has_request, .. }) = call.vm().context_mut() {
        *has_request = false;
    }
    Ok(())
}

fn close_stream(call: &mut HostCall<'_, '_>) -> Answer {
    match call.stream() {
        Some(mut stream) => stream.is_closed = true,
        None => call.state().violation("a stream was closed outside of any stream"),
    }
    Ok(())
}

fn send_local_response(call: &mut HostCall<'_, '_>) -> Answer {
    let reply = LocalReply { status: call.word(0), details: call.text(1)?, body: call.bytes(3)?, headers: call.headers(5)? };
    let Some(mut stream) = call.stream() else {
        call.state().violation("an answer was sent outside of any stream");
        return Ok(());
    };
    let violation = if stream.reply.is_some() {
        Some("a request was answered twice")
    } else if stream.is_resumed {
        Some("a request was answered after it was resumed")
    } else if stream.progress == Progress::Upstream {
        Some("a request was answered that had reached the upstream")
    } else {
        None
    };
    stream.reply.get_or_insert(reply);
    drop(stream);
    if let Some(violation) = violation {
        call.state().violation(violation);
    }
    Ok(())
}

fn set_effective_context(call: &mut HostCall<'_, '_>) -> Answer {
    let id = call.word(0);
    let vm = call.vm();
    if !vm.contexts.contains_key(&id) {
        return Err(Status::BAD_ARGUMENT.into());
    }
    vm.effective = Some(id);
    Ok(())
}
