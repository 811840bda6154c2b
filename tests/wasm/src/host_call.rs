//! One call of a module into its host: the arguments read, the answer written, the fault in its way.

use std::cell::RefMut;

use wasmtime::{Caller, Extern, Memory, Val};

use crate::fault::Fault;
use crate::headers::Headers;
use crate::state::{State, Stream, StreamId};
use crate::status::Status;
use crate::vm::{Context, Vm};

/// Why a host call does not return OK.
pub(crate) enum Failure {
    /// It returns this status.
    Status(Status),
    /// It ends the module.
    Trap(wasmtime::Error),
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

impl From<wasmtime::Error> for Failure {
    fn from(error: wasmtime::Error) -> Self {
        Self::Trap(error)
    }
}

pub(crate) type Answer<T = ()> = Result<T, Failure>;

/// A host call while it is carried out. Arguments are named by their place.
pub(crate) struct HostCall<'a, 'b> {
    pub(crate) caller: &'a mut Caller<'b, Vm>,
    pub(crate) name: &'static str,
    pub(crate) arguments: &'a [Val],
    pub(crate) fault: Option<Fault>,
}

impl HostCall<'_, '_> {
    pub(crate) fn word(&self, place: usize) -> u32 {
        self.arguments[place].unwrap_i32().cast_unsigned()
    }

    pub(crate) fn long(&self, place: usize) -> u64 {
        self.arguments[place].unwrap_i64().cast_unsigned()
    }

    /// The bytes whose pointer is at `place` and whose size behind it.
    pub(crate) fn bytes(&mut self, place: usize) -> Answer<Vec<u8>> {
        self.read(self.word(place), self.word(place + 1))
    }

    /// The bytes that the vector of this number names, in the array of WASI vectors whose pointer is at `place`.
    pub(crate) fn vector(&mut self, place: usize, number: u32) -> Answer<Vec<u8>> {
        let vector = self.read(self.word(place) + 8 * number, 8)?;
        let word = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().expect("eight bytes hold two words"));
        self.read(word(&vector[..4]), word(&vector[4..]))
    }

    fn read(&mut self, pointer: u32, size: u32) -> Answer<Vec<u8>> {
        let (pointer, size) = (pointer as usize, size as usize);
        let memory = self.memory()?;
        let bytes = pointer.checked_add(size).and_then(|end| memory.data(&self.caller).get(pointer..end));
        Ok(bytes.ok_or(Status::INVALID_MEMORY_ACCESS)?.to_vec())
    }

    pub(crate) fn text(&mut self, place: usize) -> Answer<String> {
        Ok(String::from_utf8_lossy(&self.bytes(place)?).into_owned())
    }

    pub(crate) fn headers(&mut self, place: usize) -> Answer<Headers> {
        let bytes = self.bytes(place)?;
        Ok(Headers::from_bytes(&bytes).ok_or(Status::PARSE_FAILURE)?)
    }

    /// Hand bytes over in memory that the module allocates; `place` and the one behind it say where pointer and size go.
    pub(crate) fn return_bytes(&mut self, place: usize, bytes: Vec<u8>) -> Answer {
        let bytes = match self.meet() {
            Some(fault) => fault.spoil_bytes(bytes),
            None => bytes,
        };
        let size = u32::try_from(bytes.len()).map_err(|_| Status::INTERNAL_FAILURE)?;
        let pointer = match self.fault {
            Some(Fault::WildPointer) => u32::MAX - size,
            _ if bytes.is_empty() => 0,
            _ => {
                let pointer = self.allocate(size)?;
                self.write(pointer, &bytes)?;
                pointer
            }
        };
        self.write(self.word(place), &pointer.to_le_bytes())?;
        self.write(self.word(place + 1), &size.to_le_bytes())
    }

    pub(crate) fn return_word(&mut self, place: usize, word: u32) -> Answer {
        match self.spoil_number(word.into()) {
            Some(number) => self.write(self.word(place), &number.to_le_bytes()[..4]),
            None => Ok(()),
        }
    }

    pub(crate) fn return_long(&mut self, place: usize, long: u64) -> Answer {
        match self.spoil_number(long) {
            Some(number) => self.write(self.word(place), &number.to_le_bytes()),
            None => Ok(()),
        }
    }

    fn spoil_number(&self, number: u64) -> Option<u64> {
        self.meet().map_or(Some(number), |fault| fault.spoil_number(number))
    }

    /// The fault of this call, which the module meets now.
    fn meet(&self) -> Option<Fault> {
        if self.fault.is_some() {
            self.state().faults.meet(self.name);
        }
        self.fault
    }

    pub(crate) fn write(&mut self, pointer: u32, bytes: &[u8]) -> Answer {
        let memory = self.memory()?;
        Ok(memory.write(&mut self.caller, pointer as usize, bytes).map_err(|_| Status::INVALID_MEMORY_ACCESS)?)
    }

    fn memory(&mut self) -> Answer<Memory> {
        let memory = self.caller.get_export("memory").and_then(Extern::into_memory);
        Ok(memory.ok_or(Status::INVALID_MEMORY_ACCESS)?)
    }

    fn allocate(&mut self, size: u32) -> Answer<u32> {
        let export = ["proxy_on_memory_allocate", "malloc"].into_iter().find_map(|name| self.caller.get_export(name));
        let function = export.and_then(Extern::into_func).ok_or(Status::INVALID_MEMORY_ACCESS)?;
        let pointer = function.typed::<u32, u32>(&self.caller)?.call(&mut *self.caller, size)?;
        Ok(if pointer == 0 { Err(Status::INVALID_MEMORY_ACCESS) } else { Ok(pointer) }?)
    }

    pub(crate) fn vm(&mut self) -> &mut Vm {
        self.caller.data_mut()
    }

    pub(crate) fn state(&self) -> RefMut<'_, State> {
        self.caller.data().state.borrow_mut()
    }

    /// The stream of the context that the call is for; none for a root context.
    pub(crate) fn stream_id(&self) -> Option<StreamId> {
        match self.caller.data().context()? {
            Context::Stream { stream, .. } => Some(*stream),
            Context::Root { .. } => None,
        }
    }

    pub(crate) fn stream(&self) -> Option<RefMut<'_, Stream>> {
        let id = self.stream_id()?;
        RefMut::filter_map(self.state(), |state| state.streams.get_mut(&id)).ok()
    }

    /// The parts of a property path, joined by NUL as the module gives them.
    pub(crate) fn property_path(&mut self, place: usize) -> Answer<String> {
        Ok(self.text(place)?.trim_end_matches('\0').to_owned())
    }
}
