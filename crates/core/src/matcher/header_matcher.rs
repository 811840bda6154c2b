//! A condition on a header.
//!
//! A header that is sent once, without a comma, has one meaning. One that is repeated, or holds a list, may be read as any of its
//! values or as all of them joined: whether the condition holds is certain then only if all readings agree.

use crate::config::ConfigError;
use crate::config::matching::HeaderMatchConfig;
use crate::headers::Headers;
use crate::request::is_token_byte;

/// How sure it is that a condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Certainty {
    /// It does not.
    No,
    /// It depends on how the request is read.
    Maybe,
    /// It does, but the header was repeated.
    Broadly,
    /// It does.
    Yes,
}

/// A compiled condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HeaderMatcher {
    /// In lower case.
    name: String,
    test: Test,
    invert: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Present,
    OneOf(Vec<String>),
    Prefix(String),
    Suffix(String),
    Contains(String),
}

impl Test {
    fn holds(&self, value: &[u8]) -> bool {
        match self {
            Self::Present => true,
            Self::OneOf(values) => values.iter().any(|wanted| wanted.as_bytes() == value),
            Self::Prefix(start) => value.starts_with(start.as_bytes()),
            Self::Suffix(end) => value.ends_with(end.as_bytes()),
            Self::Contains(part) => value.windows(part.len()).any(|window| window == part.as_bytes()),
        }
    }
}

impl HeaderMatcher {
    /// Compile a condition that stands at `path` in the document.
    pub(super) fn compile(config: &HeaderMatchConfig, path: &str) -> Result<Self, ConfigError> {
        let name_error = |problem: &str, hint: &str| Err(ConfigError::new(format!("{path}.name"), problem).hint(hint));
        if config.name.starts_with(':') {
            return name_error("is a pseudo-header", "use `hosts`, `paths` and `methods`");
        }
        if config.name.eq_ignore_ascii_case("host") {
            return name_error("is the host", "use `hosts`");
        }
        if config.name.is_empty() || !config.name.bytes().all(is_token_byte) {
            return name_error("is not a header name", "for example x-client");
        }
        let value = |text: &String, key: &str| match text.is_empty() {
            true => Err(ConfigError::new(format!("{path}.{key}"), "is empty").hint("`present` asks whether the header was sent")),
            false => Ok(text.clone()),
        };
        let mut tests = Vec::new();
        let mut invert = config.invert;
        if let Some(text) = &config.exact {
            tests.push(Test::OneOf(vec![value(text, "exact")?]));
        }
        if let Some(list) = &config.r#in {
            if list.is_empty() {
                return Err(ConfigError::new(format!("{path}.in"), "is empty, so nothing would match"));
            }
            let values = list.iter().enumerate().map(|(index, text)| value(text, &format!("in[{index}]")));
            tests.push(Test::OneOf(values.collect::<Result<_, _>>()?));
        }
        for (key, text, make) in [
            ("prefix", &config.prefix, Test::Prefix as fn(String) -> Test),
            ("suffix", &config.suffix, Test::Suffix as fn(String) -> Test),
            ("contains", &config.contains, Test::Contains as fn(String) -> Test),
        ] {
            if let Some(text) = text {
                tests.push(make(value(text, key)?));
            }
        }
        if let Some(present) = config.present {
            invert ^= !present;
            tests.push(Test::Present);
        }
        let hint = "give one of `exact`, `in`, `prefix`, `suffix`, `contains`, `present`";
        let (Some(test), None) = (tests.pop(), tests.pop()) else {
            return Err(ConfigError::new(path, "has not exactly one condition").hint(hint));
        };
        Ok(Self { name: config.name.to_ascii_lowercase(), test, invert })
    }

    /// Whether the condition holds for these headers.
    pub(super) fn holds(&self, headers: &Headers) -> Certainty {
        let mut copies = headers.all(&self.name);
        let Some(first) = copies.next() else { return if self.invert { Certainty::Yes } else { Certainty::No } };
        let is_repeated = copies.next().is_some();
        if self.test == Test::Present {
            return match (self.invert, is_repeated) {
                (true, _) => Certainty::No,
                (false, true) => Certainty::Broadly,
                (false, false) => Certainty::Yes,
            };
        }
        let is_one =
            |copy: &[u8]| copy.contains(&b',') && copy.split(|byte| *byte == b',').any(|one| self.test.holds(one.trim_ascii()));
        let (whole, any) = if is_repeated {
            let all = || headers.all(&self.name);
            let joined = all().collect::<Vec<_>>().join(&b","[..]);
            (false, self.test.holds(&joined) || all().any(|copy| self.test.holds(copy) || is_one(copy)))
        } else {
            (self.test.holds(first), is_one(first))
        };
        match (whole, any, self.invert) {
            (true, _, false) => Certainty::Yes,
            (true, _, true) => Certainty::No,
            (false, true, _) => Certainty::Maybe,
            (false, false, false) => Certainty::No,
            (false, false, true) if is_repeated => Certainty::Broadly,
            (false, false, true) => Certainty::Yes,
        }
    }
}
