//! The memory through which the proxy hands over data.
//!
//! During a call the proxy asks for a buffer ([`allocate`]), fills it, and returns its address and size. The call then takes the
//! buffer back by that address ([`claim`]). An address that was not given out, or a size beyond what was asked for, is no
//! buffer: a wrong answer of the proxy can never make the module read or free memory that it did not give out.

//!
//! A request's headers come in a buffer of about the same size each time. One that is not needed any more is kept for the next
//! ([`keep`]): to allocate a kilobyte and to fill it with zeros takes 0.2 µs.

use std::cell::RefCell;
use std::ops::RangeInclusive;

thread_local! {
    /// What was given out and not taken back; more than one only when the proxy breaks its own protocol.
    static GIVEN_OUT: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    /// What is kept to be given out again.
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// How many buffers are kept.
const MAX_SPARE: usize = 16;
/// How large those are: small ones cost little, large ones are rare.
const SPARE_BYTES: RangeInclusive<usize> = 256..=16 * 1024;

/// Gives the proxy a buffer of this size; null when there is no memory.
pub fn allocate(size: usize) -> *mut u8 {
    // One byte at least, for an empty vector has no address of its own.
    let size = size.max(1);
    let mut buffer = spare(size).unwrap_or_default();
    if buffer.try_reserve_exact(size.saturating_sub(buffer.len())).is_err() {
        return std::ptr::null_mut();
    }
    // What an earlier request left in it stays; the proxy writes over all of it.
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

/// Keeps a buffer that is not needed any more, to be given out again.
pub fn keep(buffer: Vec<u8>) {
    if SPARE_BYTES.contains(&buffer.capacity()) {
        SPARE.with(|spare| {
            if let Ok(mut spare) = spare.try_borrow_mut()
                && spare.len() < MAX_SPARE
            {
                spare.push(buffer);
            }
        });
    }
}

fn spare(size: usize) -> Option<Vec<u8>> {
    if SPARE_BYTES.contains(&size) { SPARE.with(|spare| spare.try_borrow_mut().ok()?.pop()) } else { None }
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
    fn a_buffer_that_is_kept_is_given_out_again_with_the_size_that_is_asked_for() {
        for (size, kept) in [(1000, true), (300, true), (2000, true), (16, false), (64 * 1024, false)] {
            keep(vec![7; 1000]);
            let before = SPARE.with(|spare| spare.borrow().len());
            let buffer = claim(allocate(size).addr(), size).unwrap();
            assert_eq!(buffer.len(), size);
            assert!(buffer.iter().all(|byte| *byte == 0 || kept), "{size}");
            assert_eq!(SPARE.with(|spare| spare.borrow().len()) < before, kept, "{size}");
        }
        for size in [0, 100, 1000, 1_000_000].into_iter().cycle().take(200) {
            keep(vec![7; size]);
        }
        let kept: Vec<_> = SPARE.with(|spare| spare.borrow().iter().map(Vec::len).collect());
        assert_eq!(kept, vec![1000; MAX_SPARE]);
    }

    #[test]
    fn keeps_no_buffer_that_the_proxy_forgot() {
        let forgotten = allocate(8).addr();
        let used = allocate(8).addr();
        assert!(claim(used, 8).is_some());
        assert_eq!(claim(forgotten, 8), None);
    }
}
