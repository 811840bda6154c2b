//! The stage that serves the gateway's own public keys, by which services verify the tokens that it signs for them.
//!
//! A GET or HEAD of exactly the configured path is answered in place of the upstream, with a JWK Set that may be kept for five
//! minutes. The path is read as `rules` read one that lets somebody in: in no disguise. Every other request goes on.

use std::rc::Rc;

use portcullis_minting::{PublicKey, key_set};

use crate::answer::LocalReply;
use crate::config::ConfigError;
use crate::config::matching::MatchConfig;
use crate::decision::{DEFAULT_RULE, Decision, KEYS_SERVED};
use crate::matcher::{Matcher, Reading};
use crate::path::RequestPath;
use crate::stage::{Exchange, Stage, Surroundings, Verdict};
use crate::time::UnixTime;

/// How long the answer may be kept. A key has to be published for as long before it signs.
const CACHE_CONTROL: &str = "public, max-age=300";

/// The stage that serves the keys.
#[derive(Debug)]
pub struct PublishedKeys {
    place: Matcher,
    reply: Rc<LocalReply>,
}

impl PublishedKeys {
    /// The stage that serves these keys at `target`, which stands at `path` in the document.
    ///
    /// # Errors
    /// When it is no path, or one that is not written in the one way in which it is looked for.
    pub fn compile<'a>(target: &str, path: &str, keys: impl IntoIterator<Item = &'a PublicKey>) -> Result<Self, ConfigError> {
        if !RequestPath::is_exact(target) {
            return Err(ConfigError::new(path, "is not an exact path").hint("for example /.well-known/gateway-jwks.json"));
        }
        let methods = ["GET", "HEAD"].map(str::to_owned).to_vec();
        let requests = MatchConfig { paths: Some(vec![target.to_owned()]), methods: Some(methods), ..MatchConfig::default() };
        let reply = LocalReply {
            status: 200,
            headers: vec![("content-type", "application/jwk-set+json".to_owned()), ("cache-control", CACHE_CONTROL.to_owned())],
            body: key_set(keys).into_bytes(),
            details: format!("portcullis{{{KEYS_SERVED}}}"),
        };
        Ok(Self { place: Matcher::compile(&requests, path)?, reply: Rc::new(reply) })
    }
}

impl Stage for PublishedKeys {
    fn observes(&self) -> bool {
        false
    }

    fn on_request(&mut self, exchange: &mut Exchange, _now: UnixTime, _around: &mut dyn Surroundings) -> Verdict {
        if self.place.matches(&exchange.request, None, Reading::Exact).is_none() {
            return Verdict::Continue;
        }
        exchange.decision = Some(Decision::allow(DEFAULT_RULE.into(), KEYS_SERVED, None));
        Verdict::Answer(Rc::clone(&self.reply))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::headers::Headers;
    use crate::request::Request;
    use crate::stage::Alone;

    const TARGET: &str = "/.well-known/gateway-jwks.json";

    fn ask(method: &str, target: &str) -> (Verdict, Option<Decision>) {
        let mut stage = PublishedKeys::compile(TARGET, "jwksPath", []).unwrap();
        let pseudo = [(":method", method), (":path", target), (":authority", "api.example.com")];
        let mut exchange = Exchange::new(Request::new(Headers::from_pairs(pseudo)), None);
        (stage.on_request(&mut exchange, UnixTime::from_secs(1), &mut Alone), exchange.decision)
    }

    #[test]
    fn answers_for_exactly_its_path() {
        for (method, target) in [("GET", TARGET), ("HEAD", TARGET), ("GET", "/.well-known/gateway-jwks.json?v=1")] {
            let (verdict, decision) = ask(method, target);
            let Verdict::Answer(reply) = verdict else { panic!("{target}: {verdict:?}") };
            assert_eq!((reply.status, &*reply.body), (200, &br#"{"keys":[]}"#[..]));
            assert_eq!(reply.details, "portcullis{keys_served}");
            assert!(reply.headers.contains(&("content-type", "application/jwk-set+json".to_owned())));
            assert!(reply.headers.contains(&("cache-control", "public, max-age=300".to_owned())));
            assert_eq!(decision, Some(Decision::allow("default".into(), KEYS_SERVED, None)));
        }
    }

    #[test]
    fn every_other_request_goes_on() {
        for (method, target) in [
            ("POST", TARGET),
            ("get", TARGET),
            ("OPTIONS", TARGET),
            ("GET", "/"),
            ("GET", "/.well-known/gateway-jwks.json/"),
            ("GET", "/.well-known/gateway-jwks.json;a=b"),
            ("GET", "/.well-known//gateway-jwks.json"),
            ("GET", "//.well-known/gateway-jwks.json"),
            ("GET", "/.well-known%2fgateway-jwks.json"),
            ("GET", "/.well-known\\gateway-jwks.json"),
            ("GET", "/.Well-Known/gateway-jwks.json"),
            ("GET", "/a?/.well-known/gateway-jwks.json"),
            ("GET", "/a#/.well-known/gateway-jwks.json"),
            ("GET", "/.well-known/gateway-jwks.json%00"),
            ("GET", "/.well-known/gateway-jwks%252ejson"),
        ] {
            assert_eq!(ask(method, target), (Verdict::Continue, None), "{method} {target}");
        }
    }

    #[test]
    fn refuses_what_is_no_exact_path() {
        for target in ["", "keys", "/a/../keys", "/%61", "/keys?a", "/{keys}", "/keys/*", "/a//b", "/a;b", "*"] {
            let error = PublishedKeys::compile(target, "jwksPath", []).map(|_| ()).unwrap_err();
            assert!(error.to_string().starts_with("jwksPath: is not an exact path"), "{target}: {error}");
        }
    }
}
