//! Where a credential stands in a request.

use std::rc::Rc;

use super::AUTHORIZATION;
use super::name_pattern::NamePattern;
use crate::config::ConfigError;

/// A header with what stands before the credential in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carrier {
    header: Rc<str>,
    prefix: String,
}

impl Carrier {
    /// The carrier that an operator wrote, in an object at `path`.
    ///
    /// # Errors
    /// When the header may not be set, or what stands before the credential cannot stand in a header.
    pub fn compile(header: Option<&str>, prefix: Option<&str>, path: &str) -> Result<Self, ConfigError> {
        let header = header.unwrap_or(AUTHORIZATION).to_ascii_lowercase();
        NamePattern::exact(&header, &format!("{path}.header"))?;
        let usual = if header == AUTHORIZATION { "Bearer " } else { "" };
        let prefix = prefix.unwrap_or(usual);
        if !prefix.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) || prefix.starts_with(' ') {
            return Err(ConfigError::new(format!("{path}.prefix"), "cannot stand in a header").hint("for example `Bearer `"));
        }
        Ok(Self { header: header.into(), prefix: prefix.to_owned() })
    }

    /// The name of the header, in lower case.
    #[must_use]
    pub const fn header(&self) -> &Rc<str> {
        &self.header
    }

    /// The header's value with this credential in it.
    #[must_use]
    pub fn value(&self, credential: &str) -> Rc<str> {
        format!("{}{credential}", self.prefix).into()
    }
}
