//! What a module is given by the place where it runs.

use std::fmt;
use std::rc::Rc;

use crate::config::Environment;
use crate::delivery::Compressor;
use crate::jose::NativeSignatures;

/// The place where a module runs. Made from an [`Environment`] alone it is one without a proxy: no token that is made there is sent
/// to anyone, so none needs a seed of its own.
#[derive(Clone)]
pub struct Platform<'a> {
    /// The environment that `{env: NAME}` reads.
    pub environment: &'a dyn Environment,
    /// The proxy's own verification of signatures, where it offers one.
    pub native_signatures: Option<Rc<dyn NativeSignatures>>,
    /// Random bytes that nobody else has; absent where the place has none, and then nothing is made that needs them.
    pub seed: Option<[u8; 32]>,
    /// The proxy's own compression, where there is a proxy; whether it works is for who needs it to try.
    pub compressor: Option<Rc<dyn Compressor>>,
}

impl<'a, E: Environment> From<&'a E> for Platform<'a> {
    fn from(environment: &'a E) -> Self {
        Self { environment, native_signatures: None, seed: Some([0; 32]), compressor: None }
    }
}

impl<'a> From<&'a dyn Environment> for Platform<'a> {
    fn from(environment: &'a dyn Environment) -> Self {
        Self { environment, native_signatures: None, seed: Some([0; 32]), compressor: None }
    }
}

impl fmt::Debug for Platform<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Platform").finish_non_exhaustive()
    }
}
