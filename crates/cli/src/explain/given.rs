//! The request as the command line gives it.

use anyhow::{Context, bail};
use portcullis_core::headers::Headers;
use portcullis_core::request::Request;
use portcullis_core::stage::{Exchange, Route};
use portcullis_core::time::UnixTime;

use super::ExplainArguments;
use crate::discretion::Discretion;

/// Stands for the token in headers and the URL.
const PLACE: &str = "{token}";

/// A request.
#[derive(Debug)]
pub struct Given {
    /// The method.
    pub method: String,
    /// The host, if one is given.
    pub host: Option<String>,
    /// The path with its query, as it is sent.
    pub target: String,
    headers: Vec<(String, String)>,
    route: Option<String>,
    route_rule: Option<String>,
    token: Option<String>,
}

impl Given {
    /// The request of these arguments.
    ///
    /// # Errors
    /// The URL or a header is malformed, or a file cannot be read.
    pub fn of(arguments: &ExplainArguments, token: Option<&[u8]>) -> anyhow::Result<Self> {
        let token = token.map(|token| String::from_utf8_lossy(token).into_owned());
        let mut is_placed = false;
        let mut place = |text: &str| match &token {
            Some(token) if text.contains(PLACE) => {
                is_placed = true;
                text.replace(PLACE, token)
            }
            _ => text.to_owned(),
        };
        let (mut host, target) = split(&place(&arguments.url))?;
        let mut headers = Vec::new();
        for line in header_lines(&arguments.header)? {
            let Some((name, value)) = line.split_once(':').filter(|(name, _)| !name.is_empty()) else {
                bail!("--header: a header is written `Name: value`");
            };
            let (name, value) = (name.trim().to_ascii_lowercase(), place(value.trim()));
            if name == "host" {
                host = Some(value);
            } else {
                headers.push((name, value));
            }
        }
        if let (Some(token), false) = (&token, is_placed) {
            headers.push(("authorization".to_owned(), format!("Bearer {token}")));
        }
        Ok(Self {
            method: arguments.method.clone(),
            host,
            target,
            headers,
            route: arguments.route.clone(),
            route_rule: arguments.route_rule.clone(),
            token,
        })
    }

    /// The exchange that the proxy would begin.
    pub fn exchange(&self, now: UnixTime) -> Exchange {
        let pseudo = [(":method", Some(&self.method)), (":authority", self.host.as_ref()), (":path", Some(&self.target))];
        let pseudo = pseudo.into_iter().filter_map(|(name, value)| Some((name, value?.as_str())));
        let headers = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut exchange = Exchange::new(Request::new(Headers::from_pairs(pseudo.chain(headers))), Some(now));
        exchange.route =
            Route { name: self.route.clone(), rule: self.route_rule.clone().map(String::into_bytes), ..Route::default() };
        exchange
    }

    /// What may be printed of the request, given the credentials that were found in it.
    pub fn discretion(&self, show_token: bool, credentials: &[Vec<u8>]) -> Discretion {
        let mut discretion = Discretion::new(show_token);
        self.token.iter().for_each(|token| discretion.add_credential(token.as_bytes()));
        credentials.iter().for_each(|credential| discretion.add_credential(credential));
        discretion
    }
}

/// The host and the target of a URL. Nothing is normalized: the module sees the path as it is written here.
fn split(url: &str) -> anyhow::Result<(Option<String>, String)> {
    let url = url.split('#').next().unwrap_or_default();
    if url.starts_with('/') || url == "*" {
        return Ok((None, url.to_owned()));
    }
    let Some((_, rest)) = url.split_once("://").filter(|(scheme, _)| matches!(*scheme, "http" | "https")) else {
        bail!("the URL begins with neither http://, https:// nor /");
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, target) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
    Ok((Some(host.to_owned()), target))
}

/// The headers of the arguments; `@FILE` stands for the lines of a file.
fn header_lines(arguments: &[String]) -> anyhow::Result<Vec<String>> {
    let mut lines = Vec::new();
    for argument in arguments {
        match argument.strip_prefix('@') {
            None => lines.push(argument.clone()),
            Some(file) => {
                let text = std::fs::read_to_string(file).with_context(|| format!("{file}: the headers cannot be read"))?;
                lines.extend(text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned));
            }
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_a_url_and_changes_nothing_in_its_path() {
        for (url, host, target) in [
            ("https://api.example.com/a/../b%2f?c=d", Some("api.example.com"), "/a/../b%2f?c=d"),
            ("http://api.example.com:8080", Some("api.example.com:8080"), "/"),
            ("https://api.example.com?a=b#c", Some("api.example.com"), "/?a=b"),
            ("/orders", None, "/orders"),
            ("//orders", None, "//orders"),
            ("*", None, "*"),
        ] {
            assert_eq!(split(url).unwrap(), (host.map(str::to_owned), target.to_owned()), "{url}");
        }
        for url in ["orders", "ftp://a/b", ""] {
            assert!(split(url).is_err(), "{url}");
        }
    }
}
