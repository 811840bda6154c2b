//! The places of a request from which an entry takes credentials.

use crate::config::ConfigError;
use crate::config::jwt_rule::FromHeaderConfig;
use crate::extractor::Source;
use crate::request::is_token_byte;

/// Where credentials may stand: what is given, else the default.
///
/// # Errors
/// When a name is none.
pub(super) fn compile(
    headers: Option<&[FromHeaderConfig]>,
    params: Option<&[String]>,
    cookies: Option<&[String]>,
    default: &[Source],
    path: &str,
) -> Result<Vec<Source>, ConfigError> {
    let mut sources = Vec::new();
    for (index, header) in headers.into_iter().flatten().enumerate() {
        let path = format!("{path}.fromHeaders[{index}].name");
        if header.name.is_empty() || !header.name.bytes().all(is_token_byte) {
            return Err(ConfigError::new(path, "is not a header name").hint("for example Authorization"));
        }
        let prefix = header.prefix.clone().unwrap_or_default();
        sources.push(Source::Header { name: header.name.to_ascii_lowercase().into(), prefix });
    }
    for (key, names, make) in [
        ("fromParams", params, Source::Param as fn(String) -> Source),
        ("fromCookies", cookies, Source::Cookie as fn(String) -> Source),
    ] {
        for (index, name) in names.into_iter().flatten().enumerate() {
            if name.is_empty() || !name.bytes().all(is_token_byte) {
                return Err(ConfigError::new(format!("{path}.{key}[{index}]"), "is not a name")
                    .hint("use letters, digits, `-`, `_` and `.`"));
            }
            sources.push(make(name.clone()));
        }
    }
    if sources.is_empty() {
        sources.extend_from_slice(default);
    }
    Ok(sources)
}
