//! A text about the caller and the request: `{issuer}|{claim.tenant}|{sub}`, `order/{path.orderId}`.
//!
//! | value | is |
//! |---|---|
//! | `{issuer}`, `{subject}` or `{sub}`, `{tokenId}` | of the principal |
//! | `{roles}`, `{scopes}`, `{audiences}` | of the principal, joined by commas |
//! | `{claim.PATH}` | a claim; a list is joined by commas, an object is JSON |
//! | `{path.NAME}` | a parameter of every path of the `match` beside it, decoded |
//! | `{header.NAME}` | a header that the client sent, once, and that is not the gateway's own |
//! | `{host}`, `{method}`, `{requestId}` | of the request |
//!
//! Where a value is absent or empty, there is no text. Where several values stand in one text, no value can be taken for another:
//! the characters that stand between them, letters and digits aside, are percent-encoded in each, and two values always have
//! such a character between them.

use std::borrow::Cow;

use super::escaper::{Escaper, Unfit};
use super::name_set::NameSet;
use super::rendering::{Rendering, Values, plain_text};
use crate::claim_set::Claim;
use crate::config::document::key_in_path;
use crate::config::{ConfigError, suggestion};
use crate::matcher::{Matcher, PathParameters};
use crate::path;
use crate::principal::Principal;
use crate::request::{Request, is_token_byte};
use crate::template::{Piece, Template};

/// What may stand in braces.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Issuer,
    Subject,
    TokenId,
    Roles,
    Scopes,
    Audiences,
    Claim(String),
    Parameter(String),
    Header(String),
    Host,
    Method,
    RequestId,
}

/// A compiled text about the caller and the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityTemplate {
    template: Template<Value>,
    /// What is percent-encoded in each value.
    separators: Vec<u8>,
}

/// What a template is about.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The caller; absent when nobody was authenticated.
    pub principal: Option<&'a Principal>,
    /// The request, where it may be asked.
    pub request: Option<&'a Request>,
    /// The parameters of its path.
    pub parameters: Option<&'a PathParameters<'a>>,
}

impl<'a> Facts<'a> {
    /// The caller alone.
    #[must_use]
    pub const fn of(principal: &'a Principal) -> Self {
        Self { principal: Some(principal), request: None, parameters: None }
    }
}

const VALUES: &str = "values are `{issuer}`, `{sub}`, `{tokenId}`, `{roles}`, `{scopes}`, `{audiences}`, `{claim.PATH}`, \
    `{path.NAME}`, `{header.NAME}`, `{host}`, `{method}` and `{requestId}`";

impl IdentityTemplate {
    /// Compile a text that stands at `path` in the document, beside a `match`.
    ///
    /// # Errors
    /// When a brace opens or closes no value, a value is none that there is, or two values cannot be told apart.
    pub fn parse(text: &str, matcher: Option<&Matcher>, path: &str) -> Result<Self, ConfigError> {
        let malformed = |problem: &str| ConfigError::new(path, problem).hint(VALUES);
        if text.is_empty() {
            return Err(malformed("is empty"));
        }
        let template = Template::parse(text, |name| Value::named(name, matcher, path), malformed)?;
        let are_adjacent = |pair: &[Piece<Value>]| match pair {
            [Piece::Value(_), Piece::Value(_)] => true,
            [Piece::Literal(between), Piece::Value(_)] => separators(between).next().is_none(),
            _ => false,
        };
        let pieces = template.pieces();
        let behind_the_first = pieces.iter().position(|piece| matches!(piece, Piece::Value(_))).unwrap_or_default();
        if pieces.get(behind_the_first..).is_some_and(|pieces| pieces.windows(2).any(are_adjacent)) {
            return Err(ConfigError::new(path, "has two values that cannot be told apart")
                .hint("put a character between them that is no letter or digit: `{issuer}|{sub}`"));
        }
        let has_several = template.values().nth(1).is_some();
        let separators = if has_several { template.literals().flat_map(separators).collect() } else { Vec::new() };
        Ok(Self { template, separators })
    }

    /// Whether it is about the caller and nothing else.
    #[must_use]
    pub fn is_about_the_caller(&self) -> bool {
        self.template.values().all(Value::is_of_the_caller)
    }

    /// Whether there is no text without a caller.
    #[must_use]
    pub fn needs_a_caller(&self) -> bool {
        self.template.values().any(Value::is_of_the_caller)
    }

    /// The name of a header in it that is among these.
    #[must_use]
    pub fn header_among(&self, names: &NameSet) -> Option<&str> {
        self.template.values().find_map(|value| match value {
            Value::Header(name) if names.contains(name.as_bytes()) => Some(name.as_str()),
            _ => None,
        })
    }

    /// The text between its values, for those who restrict it.
    pub fn literals(&self) -> impl Iterator<Item = &str> {
        self.template.literals()
    }

    /// The text with every value as it is, for those who compare it with one that was made in the same way; `None` when a value
    /// is absent or empty.
    #[must_use]
    pub fn text(&self, facts: &Facts<'_>) -> Option<String> {
        self.template
            .pieces()
            .iter()
            .map(|piece| match piece {
                Piece::Literal(text) => Some(Cow::Borrowed(text.as_str())),
                Piece::Value(value) => value.of(facts),
            })
            .collect()
    }

    /// The values of a header that carries the text; none when a value is absent or empty.
    ///
    /// # Errors
    /// [`Unfit`].
    pub fn render(&self, facts: &Facts<'_>, rendering: &Rendering) -> Result<Values<'static>, Unfit> {
        let escaper = Escaper { encoding: rendering.encoding, separators: &self.separators };
        let mut text = String::new();
        for piece in self.template.pieces() {
            match piece {
                Piece::Literal(literal) => text.push_str(literal),
                Piece::Value(value) => match value.of(facts) {
                    Some(value) => escaper.push(&mut text, &value)?,
                    None => return Ok(Values::default()),
                },
            }
        }
        rendering.finished(text)
    }
}

/// The characters of a text by which values are told apart.
fn separators(text: &str) -> impl Iterator<Item = u8> {
    text.bytes().filter(|byte| !byte.is_ascii_alphanumeric())
}

impl Value {
    fn named(name: &str, matcher: Option<&Matcher>, path: &str) -> Result<Self, ConfigError> {
        let malformed = |problem: &str| Err(ConfigError::new(path, problem).hint(VALUES));
        Ok(match (name, name.split_once('.')) {
            ("issuer", _) => Self::Issuer,
            ("subject" | "sub", _) => Self::Subject,
            ("tokenId", _) => Self::TokenId,
            ("roles", _) => Self::Roles,
            ("scopes", _) => Self::Scopes,
            ("audiences", _) => Self::Audiences,
            ("host", _) => Self::Host,
            ("method", _) => Self::Method,
            ("requestId", _) => Self::RequestId,
            (_, Some(("claim", claim))) if !claim.trim().is_empty() => Self::Claim(claim.to_owned()),
            (_, Some(("path", parameter))) => Self::parameter(parameter, matcher, path)?,
            (_, Some(("header", header))) if !header.is_empty() && header.bytes().all(is_token_byte) => {
                Self::Header(header.to_ascii_lowercase())
            }
            _ => return malformed("has braces around something that is no value of a caller or a request"),
        })
    }

    fn parameter(name: &str, matcher: Option<&Matcher>, path: &str) -> Result<Self, ConfigError> {
        let parameters = matcher.map(Matcher::parameters).unwrap_or_default();
        if parameters.contains(&name) {
            return Ok(Self::Parameter(name.to_owned()));
        }
        let hint = if parameters.is_empty() {
            "give the entry a `match` whose `paths` all have it".to_owned()
        } else {
            suggestion::hint(name, &parameters, "parameters of its match")
        };
        Err(ConfigError::new(path, format!("`{{path.{}}}` is not in every path of its match", key_in_path(name))).hint(hint))
    }

    const fn is_of_the_caller(&self) -> bool {
        !matches!(self, Self::Parameter(_) | Self::Header(_) | Self::Host | Self::Method | Self::RequestId)
    }

    fn of<'a>(&'a self, facts: &Facts<'a>) -> Option<Cow<'a, str>> {
        let list = |list: &'a [String]| plain_text(Claim::Texts(list));
        let value = match self {
            Self::Issuer => Cow::Borrowed(facts.principal?.issuer.as_str()),
            Self::Subject => Cow::Borrowed(facts.principal?.subject.as_deref()?),
            Self::TokenId => Cow::Borrowed(facts.principal?.token_id.as_deref()?),
            Self::Roles => list(&facts.principal?.roles),
            Self::Scopes => list(&facts.principal?.scopes),
            Self::Audiences => list(&facts.principal?.audiences),
            Self::Claim(claim) => plain_text(facts.principal?.claim(claim)?),
            Self::Parameter(name) => Cow::Owned(String::from_utf8(path::decode(facts.parameters?.get(name)?.as_bytes())).ok()?),
            Self::Header(name) => Cow::Borrowed(str::from_utf8(facts.request?.headers().single(name).ok()??).ok()?),
            Self::Host => Cow::Borrowed(facts.request?.host()?),
            Self::Method => Cow::Borrowed(facts.request?.method()?),
            Self::RequestId => Cow::Borrowed(facts.request?.request_id()?),
        };
        Some(value).filter(|value| !value.is_empty())
    }
}
