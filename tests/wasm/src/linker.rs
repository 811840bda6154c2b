//! The functions that a module imports: the proxy-wasm ABI 0.2.1 and the little of WASI that Rust's standard library asks for.
//!
//! Each ABI function stands in a table with its parameters and what it does; one wrapper around all of them reads the
//! arguments, meets the faults that a test planned, and turns the answer into a status.

mod headers;
mod observe;
mod root;
mod streams;
mod wasi;

use wasmtime::{Caller, FuncType, Linker, Val, ValType};

use crate::fault::Fault;
use crate::host_call::{Answer, Failure, HostCall};
use crate::module;
use crate::status::Status;
use crate::vm::Vm;

/// A host function: its name, its parameters (`i` for 32 bits, `I` for 64) and its work. Each returns a status.
type Function = (&'static str, &'static str, fn(&mut HostCall<'_, '_>) -> Answer);

/// A linker that offers everything to a module.
pub(crate) fn linker() -> Linker<Vm> {
    let mut linker = Linker::new(module::engine());
    for (name, parameters, work) in [headers::FUNCTIONS, observe::FUNCTIONS, root::FUNCTIONS, streams::FUNCTIONS].concat() {
        define(&mut linker, "env", name, parameters, move |call| match meet(call, name, work) {
            Ok(()) => Ok(Status::OK.0),
            Err(Failure::Status(status)) => Ok(status.0),
            Err(Failure::Trap(error)) => Err(error),
        });
    }
    wasi::define(&mut linker);
    linker
}

fn meet(call: &mut HostCall<'_, '_>, name: &str, work: fn(&mut HostCall<'_, '_>) -> Answer) -> Answer {
    let fault = call.state().faults.of(name);
    call.fault = fault;
    match fault {
        Some(Fault::Status(status)) => {
            call.state().faults.meet(name);
            Err(Failure::Status(status))
        }
        _ => work(call),
    }
}

/// Define a function of these parameters that returns 32 bits.
fn define(
    linker: &mut Linker<Vm>,
    module: &str,
    name: &'static str,
    parameters: &str,
    work: impl Fn(&mut HostCall<'_, '_>) -> wasmtime::Result<u32> + Send + Sync + 'static,
) {
    let parameters = parameters.chars().map(|letter| if letter == 'I' { ValType::I64 } else { ValType::I32 });
    let function_type = FuncType::new(linker.engine(), parameters, [ValType::I32]);
    let function = move |mut caller: Caller<'_, Vm>, arguments: &[Val], results: &mut [Val]| {
        let status = work(&mut HostCall { caller: &mut caller, name, arguments, fault: None })?;
        results[0] = Val::I32(status.cast_signed());
        Ok(())
    };
    linker.func_new(module, name, function_type, function).expect("each name stands once in the tables");
}
