//! A compiled `match`: hosts, methods, routes, headers and path templates.
//!
//! All lists that are given must hold, each by any of its members, but `headers` by all of them; a `match` that is absent matches
//! every request. A request is read in one of three ways, see [`Reading`]: what lets somebody in reads exactly, what keeps
//! somebody out reads broadly.
//!
//! Refused when compiling: a `match` or a list that is empty, a malformed host, template, method, route name or header condition.

mod header_matcher;
mod host_pattern;
mod index;
mod path_template;

use self::header_matcher::{Certainty, HeaderMatcher};
use self::host_pattern::HostPattern;
pub use self::index::Index;
use self::path_template::{Captures, PathTemplate};
use crate::config::ConfigError;
use crate::config::matching::MatchConfig;
use crate::request::Request;

/// How strictly a matcher reads a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// As written: for what lets somebody in without a credential. An ambiguous path or none at all never matches, nor does a
    /// header that is repeated.
    Exact,
    /// A trailing slash, the method's case, and escapes inside a segment do not count: for what asks for something. An
    /// ambiguous path never matches, nor does a header whose values disagree.
    Broad,
    /// Broad; and for an ambiguous request it is enough that one of its readings matches: for what observes.
    Lenient,
}

/// A compiled `match`. The default matches every request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matcher {
    hosts: Option<Vec<HostPattern>>,
    paths: Option<Vec<PathTemplate>>,
    methods: Option<Vec<String>>,
    routes: Option<Vec<String>>,
    headers: Vec<HeaderMatcher>,
}

/// One of the things that a `match` can ask for, in the order in which they are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// `hosts`.
    Hosts,
    /// `methods`.
    Methods,
    /// `routes`.
    Routes,
    /// `headers`.
    Headers,
    /// `paths`.
    Paths,
}

/// The conditions that are not about the path.
const AROUND: [Condition; 4] = [Condition::Hosts, Condition::Methods, Condition::Routes, Condition::Headers];

/// The values of a path template's parameters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathParameters<'a>(Captures<'a>);

impl<'a> PathParameters<'a> {
    /// The segment that the parameter of this name stands for, in the normal spelling: visible ASCII, escapes kept.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(found, _)| *found == name).map(|(_, segment)| *segment)
    }
}

impl Matcher {
    /// Compile a `match` that stands at `path` in the document.
    ///
    /// # Errors
    /// A [`ConfigError`] for an empty list or a malformed pattern.
    pub fn compile(config: &MatchConfig, path: &str) -> Result<Self, ConfigError> {
        if *config == MatchConfig::default() {
            return Err(ConfigError::new(path, "is empty").hint("leave `match` out to match every request"));
        }
        Ok(Self {
            hosts: compile_list(config.hosts.as_deref(), &format!("{path}.hosts"), |text, path| {
                HostPattern::compile(text, path)
            })?,
            paths: compile_list(config.paths.as_deref(), &format!("{path}.paths"), |text, path| {
                PathTemplate::compile(text, path)
            })?,
            methods: compile_list(config.methods.as_deref(), &format!("{path}.methods"), |text, path| {
                compile_method(text, path)
            })?,
            routes: compile_list(config.routes.as_deref(), &format!("{path}.routes"), |text, path| compile_route(text, path))?,
            headers: compile_list(config.headers.as_deref(), &format!("{path}.headers"), HeaderMatcher::compile)?
                .unwrap_or_default(),
        })
    }

    /// The parameters of the first template that matches, if everything that is given holds.
    #[must_use]
    pub fn matches<'a>(&'a self, request: &'a Request, route_name: Option<&str>, reading: Reading) -> Option<PathParameters<'a>> {
        if !self.matches_around(request, route_name, reading) {
            return None;
        }
        if let Some(path) = request.normal_path() {
            return self.matches_path(path, reading).map(PathParameters);
        }
        let Some(path) = request.path() else {
            return (reading != Reading::Exact && self.is_every_path()).then(PathParameters::default);
        };
        if !path.is_ambiguous() {
            return self.matches_path(path.as_str(), reading).map(PathParameters);
        }
        if reading != Reading::Lenient {
            return None;
        }
        match path.readings() {
            Some(readings) => readings.iter().find_map(|path| self.matches_path(path, reading)).map(PathParameters),
            None => Some(PathParameters::default()),
        }
    }

    /// The first condition that a request does not fulfil; `None` when it matches.
    #[must_use]
    pub fn unmet(&self, request: &Request, route_name: Option<&str>, reading: Reading) -> Option<Condition> {
        let unmet = AROUND.into_iter().find(|condition| !self.holds_around(*condition, request, route_name, reading));
        unmet.or_else(|| self.matches(request, route_name, reading).is_none().then_some(Condition::Paths))
    }

    /// Whether everything holds but the path. Read leniently, a host or method that cannot be read may be any.
    pub(crate) fn matches_around(&self, request: &Request, route_name: Option<&str>, reading: Reading) -> bool {
        AROUND.into_iter().all(|condition| self.holds_around(condition, request, route_name, reading))
    }

    fn holds_around(&self, condition: Condition, request: &Request, route_name: Option<&str>, reading: Reading) -> bool {
        let unreadable = reading == Reading::Lenient;
        match condition {
            Condition::Hosts => {
                holds(self.hosts.as_deref(), |pattern| request.host().map_or(unreadable, |host| pattern.matches(host)))
            }
            Condition::Methods => holds(self.methods.as_deref(), |method| {
                request.method().map_or(unreadable, |given| match reading {
                    Reading::Exact => given == method,
                    Reading::Broad | Reading::Lenient => given.eq_ignore_ascii_case(method),
                })
            }),
            Condition::Routes => holds(self.routes.as_deref(), |route| route_name == Some(route)),
            Condition::Headers => self.headers.iter().all(|header| {
                header.holds(request.headers())
                    >= match reading {
                        Reading::Exact => Certainty::Yes,
                        Reading::Broad => Certainty::Broadly,
                        Reading::Lenient => Certainty::Maybe,
                    }
            }),
            Condition::Paths => true,
        }
    }

    /// The parameters of the first template that matches a path with one meaning.
    pub(crate) fn path_parameters<'a>(&'a self, request: &'a Request) -> Option<PathParameters<'a>> {
        let path = request.path_text().filter(|_| !request.is_path_ambiguous())?;
        self.matches_path(path, Reading::Broad).map(PathParameters)
    }

    /// The parameters of the first template that matches this path.
    pub(crate) fn matches_path<'a>(&'a self, path: &'a str, reading: Reading) -> Option<Captures<'a>> {
        match &self.paths {
            Some(templates) => templates.iter().find_map(|template| template.matches(path, reading != Reading::Exact)),
            None => Some(Vec::new()),
        }
    }

    /// The first template that matches the path of a request, as the operator wrote it; `None` where the path has several meanings.
    #[must_use]
    pub fn path_template(&self, request: &Request) -> Option<&str> {
        let path = request.path_text().filter(|_| !request.is_path_ambiguous())?;
        self.paths.as_ref()?.iter().find(|template| template.matches(path, true).is_some()).map(PathTemplate::text)
    }

    /// The names of the parameters that every template has.
    #[must_use]
    pub fn parameters(&self) -> Vec<&str> {
        let Some((first, others)) = self.paths.as_deref().and_then(<[_]>::split_first) else { return Vec::new() };
        first
            .parameters()
            .filter(|name| others.iter().all(|template| template.parameters().any(|other| other == *name)))
            .collect()
    }

    /// Whether the name of the proxy's route must be known.
    #[must_use]
    pub const fn needs_route_name(&self) -> bool {
        self.routes.is_some()
    }

    /// Whether it looks at headers, so that a repeated one makes the request ambiguous for it.
    #[must_use]
    pub const fn reads_headers(&self) -> bool {
        !self.headers.is_empty()
    }

    /// Whether it matches every path of every host, with any method and headers, on any route.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.hosts.is_none() && self.methods.is_none() && self.routes.is_none() && !self.reads_headers() && self.is_every_path()
    }

    /// Whether it matches every path.
    #[must_use]
    pub fn is_every_path(&self) -> bool {
        self.paths.as_ref().is_none_or(|templates| templates.iter().any(PathTemplate::is_everything))
    }
}

fn holds<T>(list: Option<&[T]>, matches: impl Fn(&T) -> bool) -> bool {
    list.is_none_or(|list| list.iter().any(matches))
}

fn compile_list<C, T>(
    list: Option<&[C]>,
    path: &str,
    compile: impl Fn(&C, &str) -> Result<T, ConfigError>,
) -> Result<Option<Vec<T>>, ConfigError> {
    let Some(list) = list else { return Ok(None) };
    if list.is_empty() {
        return Err(ConfigError::new(path, "is empty, so nothing would match").hint("leave it out to match everything"));
    }
    list.iter().enumerate().map(|(index, text)| compile(text, &format!("{path}[{index}]"))).collect::<Result<_, _>>().map(Some)
}

fn compile_method(method: &str, path: &str) -> Result<String, ConfigError> {
    if method == "*" {
        return Err(ConfigError::new(path, "is `*`").hint("leave `methods` out to match every method"));
    }
    if !method.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)) || method.is_empty() {
        return Err(ConfigError::new(path, "is not a method").hint("write for example `GET`"));
    }
    if method.bytes().any(|byte| byte.is_ascii_lowercase()) {
        let upper = method.to_ascii_uppercase();
        return Err(ConfigError::new(path, "is not in upper case").hint(format!("write `{upper}`")));
    }
    Ok(method.to_owned())
}

fn compile_route(route: &str, path: &str) -> Result<String, ConfigError> {
    if route.is_empty() {
        return Err(ConfigError::new(path, "is empty").hint("write the `name` of a route"));
    }
    Ok(route.to_owned())
}

#[cfg(test)]
mod tests;
