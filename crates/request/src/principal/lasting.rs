//! What is made once for a caller and used for a while.

use std::fmt;
use std::rc::Rc;

use crate::time::UnixTime;

/// A value that holds from one time to another. It may be a credential, so debug output does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Lasting {
    /// The value.
    pub value: Rc<str>,
    /// When it was made.
    pub from: UnixTime,
    /// When it is to be made anew.
    pub until: UnixTime,
}

impl Lasting {
    /// Whether it is to be used at this time. One from the future is not: the clock was set back.
    #[must_use]
    pub fn holds(&self, now: UnixTime) -> bool {
        self.from <= now && now < self.until
    }
}

impl fmt::Debug for Lasting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Lasting").field("from", &self.from).field("until", &self.until).finish_non_exhaustive()
    }
}
