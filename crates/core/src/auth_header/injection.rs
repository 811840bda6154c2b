//! One header that says who is calling.

use std::rc::Rc;

use serde_json::Value;

use super::escaper::Unfit;
use super::identifier_cipher::IdentifierCipher;
use super::identity_template::{Facts, IdentityTemplate};
use super::name_pattern::NamePattern;
use super::name_set::NameSet;
use super::rendering::{MAX_VALUE_BYTES, Rendering, Values};
use crate::claim_set::Claim;
use crate::config::auth_header::{ClaimType, InjectConfig, ValueEncoding};
use crate::config::{ConfigError, Environment, Warning};
use crate::edits::Edit;
use crate::matcher::{Matcher, Reading};
use crate::principal::Principal;
use crate::rejection::Rejection;
use crate::request::Request;

/// Where the value comes from.
#[derive(Debug, Clone)]
enum Source {
    Subject,
    Roles,
    Scopes,
    Claim(String),
    Template(IdentityTemplate),
    Constant(Rc<str>),
}

/// A header, the part of the principal or the request that it carries, and how that becomes text.
#[derive(Debug, Clone)]
pub struct Injection {
    header: Rc<str>,
    name: NamePattern,
    source: Source,
    rendering: Rendering,
    claim_type: Option<ClaimType>,
    cipher: Option<Rc<IdentifierCipher>>,
    required: Option<bool>,
    matcher: Option<Matcher>,
}

impl Injection {
    /// The injection that an operator wrote.
    ///
    /// # Errors
    /// When the header is no name or may not be set, when there is not exactly one place that the value comes from or an option
    /// has no effect for it, and for what is wrong with claim, template, value or match.
    pub fn compile(
        config: &InjectConfig,
        path: &str,
        environment: &dyn Environment,
        warnings: &mut Vec<Warning>,
    ) -> Result<Self, ConfigError> {
        let name = NamePattern::exact(&config.header, &format!("{path}.header"))?;
        let matcher = config.r#match.as_ref().map(|config| Matcher::compile(config, &format!("{path}.match"))).transpose()?;
        let source = source(config, matcher.as_ref(), path)?;
        let max_bytes = config.max_bytes.unwrap_or(MAX_VALUE_BYTES);
        if !(1..=MAX_VALUE_BYTES).contains(&max_bytes) {
            return Err(ConfigError::new(format!("{path}.maxBytes"), format!("must be between 1 and {MAX_VALUE_BYTES}")));
        }
        let cipher = match &config.decrypt {
            Some(decrypt) => Some(IdentifierCipher::compile(decrypt, &format!("{path}.decrypt"), environment, warnings)?.into()),
            None => None,
        };
        Ok(Self {
            header: config.header.to_ascii_lowercase().into(),
            name,
            source,
            rendering: Rendering { format: config.format.unwrap_or_default(), encoding: config.encoding, max_bytes },
            claim_type: config.claim_type,
            cipher,
            required: config.required,
            matcher,
        })
    }

    /// The header's name, in any disguise.
    #[must_use]
    pub const fn name(&self) -> &NamePattern {
        &self.name
    }

    /// Whether it is the same for every request of a caller, and there is none without a caller.
    #[must_use]
    pub fn is_of_the_caller(&self) -> bool {
        self.matcher.is_none()
            && match &self.source {
                Source::Template(template) => template.is_about_the_caller(),
                Source::Constant(_) => false,
                Source::Subject | Source::Roles | Source::Scopes | Source::Claim(_) => true,
            }
    }

    /// Whether there is no value without a caller.
    #[must_use]
    pub fn needs_a_caller(&self) -> bool {
        match &self.source {
            Source::Template(template) => template.needs_a_caller(),
            Source::Constant(_) => false,
            Source::Subject | Source::Roles | Source::Scopes | Source::Claim(_) => true,
        }
    }

    /// Whether the name of the proxy's route must be known.
    #[must_use]
    pub fn needs_route_name(&self) -> bool {
        self.matcher.as_ref().is_some_and(Matcher::needs_route_name)
    }

    /// The name of a header that it takes its value from, although the gateway removes it.
    pub(super) fn header_among(&self, owned: &NameSet) -> Option<&str> {
        if let Source::Template(template) = &self.source { template.header_among(owned) } else { None }
    }

    /// Adds the header for a caller, whatever the request is.
    ///
    /// # Errors
    /// The [`Rejection`] of a request whose caller has a value that cannot be passed on, or none where one is required.
    pub(super) fn push_for(&self, principal: &Principal, edits: &mut Vec<Edit>) -> Result<(), Rejection> {
        self.push(&Facts::of(principal), edits)
    }

    /// Adds the header for a request that may get it.
    ///
    /// # Errors
    /// As [`push_for`](Self::push_for).
    pub(super) fn push_for_request(
        &self,
        principal: Option<&Principal>,
        request: &Request,
        route_name: Option<&str>,
        edits: &mut Vec<Edit>,
    ) -> Result<(), Rejection> {
        let parameters = match &self.matcher {
            Some(matcher) => match matcher.matches(request, route_name, Reading::Broad) {
                Some(parameters) => Some(parameters),
                None => return Ok(()),
            },
            None => None,
        };
        if principal.is_none() && self.needs_a_caller() {
            return Ok(());
        }
        self.push(&Facts { principal, request: Some(request), parameters: parameters.as_ref() }, edits)
    }

    fn push(&self, facts: &Facts<'_>, edits: &mut Vec<Edit>) -> Result<(), Rejection> {
        let header = || Rc::clone(&self.header);
        if let Source::Constant(text) = &self.source {
            edits.push(Edit::Set(header(), Rc::clone(text)));
            return Ok(());
        }
        let values = self.values(facts)?;
        if values.is_empty() && self.required == Some(true) {
            return Err(Rejection::ClaimMissing);
        }
        for (index, value) in values.into_iter().enumerate() {
            let value = Rc::from(&*value);
            edits.push(if index == 0 { Edit::Set(header(), value) } else { Edit::Append(header(), value) });
        }
        Ok(())
    }

    /// The header's values; none when the header is to be left out, as it is without any role or scope.
    fn values<'a>(&'a self, facts: &Facts<'a>) -> Result<Values<'a>, Rejection> {
        let unfit = |unfit| match unfit {
            Unfit::TooLarge => Rejection::ClaimTooLarge,
            Unfit::NotPlain => Rejection::ClaimMismatch,
        };
        let list = |names: &'a [String]| if names.is_empty() { None } else { Some(Claim::Texts(names)) };
        let claim = match (&self.source, facts.principal) {
            (Source::Template(template), _) => return template.render(facts, &self.rendering).map_err(unfit),
            (Source::Constant(_), _) | (_, None) => None,
            (Source::Subject, Some(principal)) => principal.subject.as_deref().map(Claim::Text),
            (Source::Roles, Some(principal)) => list(&principal.roles),
            (Source::Scopes, Some(principal)) => list(&principal.scopes),
            (Source::Claim(path), Some(principal)) => principal.claim(path),
        };
        let Some(claim) = claim.filter(|claim| !claim.is_null()) else { return Ok(Values::default()) };
        if self.claim_type.is_some_and(|wanted| wanted != type_of(claim)) {
            return Err(Rejection::ClaimMismatch);
        }
        let Some(cipher) = &self.cipher else { return self.rendering.render(claim).map_err(unfit) };
        let opened = facts.principal.zip(claim.as_str()).map(|(principal, text)| cipher.open(text, principal));
        match opened {
            Some(Ok(identifier)) => self.rendering.render(Claim::Text(&identifier)).map(Values::into_owned).map_err(unfit),
            _ if self.required == Some(false) => Ok(Values::default()),
            _ => Err(Rejection::IdentifierUndecryptable),
        }
    }

    /// What decrypts its claim.
    #[must_use]
    pub fn cipher(&self) -> Option<&IdentifierCipher> {
        self.cipher.as_deref()
    }
}

fn type_of(claim: Claim<'_>) -> ClaimType {
    match claim {
        Claim::Text(_) | Claim::Value(Value::String(_) | Value::Null) => ClaimType::String,
        Claim::Texts(_) | Claim::Value(Value::Array(_)) => ClaimType::Array,
        Claim::Value(Value::Number(_)) => ClaimType::Number,
        Claim::Value(Value::Bool(_)) => ClaimType::Boolean,
        Claim::Value(Value::Object(_)) => ClaimType::Object,
    }
}

fn source(config: &InjectConfig, matcher: Option<&Matcher>, path: &str) -> Result<Source, ConfigError> {
    let only_for_claims =
        [("format", config.format.is_some()), ("type", config.claim_type.is_some()), ("decrypt", config.decrypt.is_some())];
    let only_for_values = [
        ("encoding", config.encoding != ValueEncoding::default()),
        ("maxBytes", config.max_bytes.is_some()),
        ("required", config.required.is_some()),
    ];
    let useless = |options: &[(&str, bool)], without: &str| match options.iter().find(|(_, is_given)| *is_given) {
        Some((option, _)) => {
            Err(ConfigError::new(format!("{path}.{option}"), format!("has no effect {without}")).hint("remove it"))
        }
        None => Ok(()),
    };
    if config.decrypt.is_some() {
        useless(&[("type", config.claim_type.is_some())], "beside `decrypt`: what was encrypted is text")?;
    }
    match (&config.claim, &config.template, &config.value) {
        (Some(claim), None, None) => Ok(match claim.as_str() {
            "subject" => Source::Subject,
            "roles" => Source::Roles,
            "scopes" => Source::Scopes,
            claim if claim.trim().is_empty() => {
                return Err(ConfigError::new(format!("{path}.claim"), "is empty").hint("name a claim of the token: sub"));
            }
            claim => Source::Claim(claim.to_owned()),
        }),
        (None, Some(template), None) => {
            useless(&only_for_claims, "without `claim`")?;
            let place = format!("{path}.template");
            let template = IdentityTemplate::parse(template, matcher, &place)?;
            if !template.literals().all(|text| text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'%')) {
                return Err(ConfigError::new(place, "has a character around its values that no header holds")
                    .hint("use visible ASCII without `%`"));
            }
            Ok(Source::Template(template))
        }
        (None, None, Some(text)) => {
            useless(&only_for_claims, "without `claim`")?;
            useless(&only_for_values, "beside `value`")?;
            let is_plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~')) && text.trim() == text;
            if text.is_empty() || !is_plain || text.len() > MAX_VALUE_BYTES {
                return Err(ConfigError::new(format!("{path}.value"), "is not the value of a header")
                    .hint(format!("use visible ASCII, at most {MAX_VALUE_BYTES} bytes of it, without a space at either end")));
            }
            Ok(Source::Constant(text.as_str().into()))
        }
        _ => Err(ConfigError::new(path, "has not exactly one of `claim`, `template` and `value`")
            .hint("a header's value comes from one place")),
    }
}
