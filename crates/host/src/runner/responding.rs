//! Removes from answers what no client is to see.

use portcullis_core::edits::HeaderEdits;

use super::{Action, Runner};
use crate::error::{Error, Result};
use crate::proxy::Proxy;

impl<P: Proxy> Runner<'_, P> {
    /// Changes the headers of an answer as the stages want it. An answer that cannot be changed is not sent.
    pub fn on_response(&self) -> Action {
        if !self.root.needs.response_headers {
            return Action::Continue;
        }
        match self.change_response() {
            Ok(()) => Action::Continue,
            Err(error) => {
                self.report("an answer was not sent", error);
                let _ = self.proxy.reset();
                Action::Pause
            }
        }
    }

    fn change_response(&self) -> Result<()> {
        let headers = self.proxy.response_headers()?;
        let mut edits = HeaderEdits::default();
        let malformed = || Error::malformed("get_header_map_pairs");
        let mut stages = self.root.stages.try_borrow_mut().map_err(|_| malformed())?;
        stages.iter_mut().try_for_each(|stage| stage.on_response(&headers, &mut edits)).map_err(|_| malformed())?;
        edits.iter().try_for_each(|edit| self.proxy.edit_response(edit))
    }
}
