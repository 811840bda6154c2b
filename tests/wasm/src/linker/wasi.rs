//! The little of WASI preview 1 that Rust's standard library asks for, as Envoy offers it: an environment, a clock, output that
//! goes to the proxy's log, no files.

use wasmtime::Linker;

use super::define as define_function;
use crate::host_call::{Answer, Failure, HostCall};
use crate::vm::Vm;

const SUCCESS: u32 = 0;
const BAD_DESCRIPTOR: u32 = 8;
const BAD_ADDRESS: u32 = 21;

type Function = (&'static str, &'static str, fn(&mut HostCall<'_, '_>) -> Answer<u32>);

const FUNCTIONS: &[Function] = &[
    ("environ_sizes_get", "ii", |call| {
        let variables = variables(call);
        let size = variables.iter().map(Vec::len).sum();
        write_size(call, 0, variables.len())?;
        write_size(call, 1, size)
    }),
    ("environ_get", "ii", environ_get),
    ("args_sizes_get", "ii", |call| {
        write_size(call, 0, 0)?;
        write_size(call, 1, 0)
    }),
    ("args_get", "ii", |_| Ok(SUCCESS)),
    ("clock_time_get", "iIi", |call| {
        let now = call.state().nanoseconds();
        call.return_long(2, now)?;
        Ok(SUCCESS)
    }),
    ("random_get", "ii", |call| {
        // Nothing that a test asserts may hang on chance.
        let size = call.word(1) as usize;
        call.write(call.word(0), &vec![0x5a; size])?;
        Ok(SUCCESS)
    }),
    ("fd_write", "iiii", fd_write),
    ("fd_read", "iiii", |_| Ok(BAD_DESCRIPTOR)),
    ("fd_seek", "iIii", |_| Ok(BAD_DESCRIPTOR)),
    ("fd_close", "i", |_| Ok(BAD_DESCRIPTOR)),
    ("fd_fdstat_get", "ii", |_| Ok(BAD_DESCRIPTOR)),
    ("fd_prestat_get", "ii", |_| Ok(BAD_DESCRIPTOR)),
    ("fd_prestat_dir_name", "iii", |_| Ok(BAD_DESCRIPTOR)),
    ("sched_yield", "", |_| Ok(SUCCESS)),
];

pub(super) fn define(linker: &mut Linker<Vm>) {
    for (name, parameters, work) in FUNCTIONS {
        define_function(linker, "wasi_snapshot_preview1", name, parameters, move |call| match work(call) {
            Ok(errno) => Ok(errno),
            Err(Failure::Status(_)) => Ok(BAD_ADDRESS),
            Err(Failure::Trap(error)) => Err(error),
        });
    }
    let exit = |code: i32| -> wasmtime::Result<()> { Err(wasmtime::Error::msg(format!("the module exits with {code}"))) };
    linker.func_wrap("wasi_snapshot_preview1", "proc_exit", exit).expect("it stands once");
}

fn variables(call: &HostCall<'_, '_>) -> Vec<Vec<u8>> {
    call.state().environment.iter().map(|(name, value)| format!("{name}={value}\0").into_bytes()).collect()
}

fn write_size(call: &mut HostCall<'_, '_>, place: usize, size: usize) -> Answer<u32> {
    let size = u32::try_from(size).expect("a test's environment is small");
    call.write(call.word(place), &size.to_le_bytes())?;
    Ok(SUCCESS)
}

fn environ_get(call: &mut HostCall<'_, '_>) -> Answer<u32> {
    let (mut slot, mut text) = (call.word(0), call.word(1));
    for variable in variables(call) {
        call.write(slot, &text.to_le_bytes())?;
        call.write(text, &variable)?;
        slot += 4;
        text += u32::try_from(variable.len()).expect("a test's environment is small");
    }
    Ok(SUCCESS)
}

fn fd_write(call: &mut HostCall<'_, '_>) -> Answer<u32> {
    let (descriptor, count) = (call.word(0), call.word(2));
    let level = match descriptor {
        1 => 2,
        2 => 4,
        _ => return Ok(BAD_DESCRIPTOR),
    };
    let mut text = Vec::new();
    for piece in 0..count {
        text.extend(call.vector(1, piece)?);
    }
    call.state().log(level, String::from_utf8_lossy(&text).into_owned());
    let written = u32::try_from(text.len()).expect("a line is short");
    call.write(call.word(3), &written.to_le_bytes())?;
    Ok(SUCCESS)
}
