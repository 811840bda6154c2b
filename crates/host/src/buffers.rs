//! The memory through which the proxy hands over data.
//!
//! During a call the proxy asks for a buffer ([`allocate`]), fills it, and returns its address and size. The call then takes the
//! buffer back by that address ([`claim`]). An address that was not given out, or a size beyond what was asked for, is no
//! buffer: a wrong answer of the proxy can never make the module read or free memory that it did not give out.

use std::cell::RefCell;

thread_local! {
    /// What was given out and not taken back; more than one only when the proxy breaks its own protocol.
    static GIVEN_OUT: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Gives the proxy a buffer of this size; null when there is no memory.
pub fn allocate(size: usize) -> *mut u8 {
    // One byte at least, for an empty vector has no address of its own.
    let size = size.max(1);
    let mut buffer = Vec::new();
    if buffer.try_reserve_exact(size).is_err() {
        return std::ptr::null_mut();
    }
    buffer.resize(size, 0);
    let address = buffer.as_mut_ptr();
    GIVEN_OUT.with(|given_out| match given_out.try_borrow_mut() {
        Ok(mut given_out) => {
            given_out.push(buffer);
            address
        }
        Err(_) => std::ptr::null_mut(),
    })
}

/// Takes back the buffer at an address, cut to the size that the proxy wrote; every other one that is still out is dropped.
///
/// Address 0 with size 0 is how the proxy returns nothing. `None` when the proxy's answer fits no buffer.
pub fn claim(address: usize, size: usize) -> Option<Vec<u8>> {
    GIVEN_OUT.with(|given_out| {
        let mut given_out = given_out.try_borrow_mut().ok()?;
        let found = given_out.iter().position(|buffer| buffer.as_ptr().addr() == address);
        let buffer = found.map(|index| given_out.swap_remove(index));
        given_out.clear();
        match buffer {
            Some(mut buffer) if size <= buffer.len() => {
                buffer.truncate(size);
                Some(buffer)
            }
            None if address == 0 && size == 0 => Some(Vec::new()),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_back_what_was_given_out() {
        let address = allocate(3).addr();
        assert_eq!(claim(address, 3), Some(vec![0; 3]));
        assert_eq!(claim(address, 3), None, "a buffer is taken back once");
    }

    #[test]
    fn accepts_fewer_bytes_than_asked_for_but_not_more() {
        assert_eq!(claim(allocate(8).addr(), 2), Some(vec![0; 2]));
        assert_eq!(claim(allocate(8).addr(), 9), None);
        assert_eq!(claim(allocate(8).addr(), usize::MAX), None);
    }

    #[test]
    fn nothing_is_an_empty_buffer_but_null_with_a_size_is_not() {
        assert_eq!(claim(0, 0), Some(Vec::new()));
        assert_eq!(claim(0, 5), None);
        assert_eq!(claim(allocate(0).addr(), 0), Some(Vec::new()));
    }

    #[test]
    fn refuses_an_address_inside_a_buffer() {
        let address = allocate(8).addr();
        assert_eq!(claim(address + 1, 2), None);
    }

    #[test]
    fn survives_a_request_for_more_memory_than_there_is() {
        assert!(allocate(usize::MAX).is_null());
        assert!(allocate(isize::MAX.unsigned_abs()).is_null());
    }

    #[test]
    fn keeps_no_buffer_that_the_proxy_forgot() {
        let forgotten = allocate(8).addr();
        let used = allocate(8).addr();
        assert!(claim(used, 8).is_some());
        assert_eq!(claim(forgotten, 8), None);
    }
}
