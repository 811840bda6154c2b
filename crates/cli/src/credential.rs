//! How a credential fares, in words: the steps of an [`Examination`], each with what it compared.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_core::authn::{Authn, Decrypted, Doubt, Entry, Examination};
use portcullis_core::extractor::Source;
use portcullis_core::jose::{Algorithm, AlgorithmSet, ClaimCheck, ClaimRules, KeyView};
use portcullis_core::jwe::EncryptedToken;
use portcullis_core::keyring::Keys;
use portcullis_core::rejection::Rejection;
use portcullis_core::sender::{Confirmation, Digest};
use portcullis_core::stage::Stage;
use portcullis_core::time::UnixTime;
use serde_json::Value;

use crate::configuration::Configuration;
use crate::instant;
use crate::jwk;
use crate::stand_ins::StandIns;
use crate::step::{Outcome, Step};
use crate::token::anatomy::{self, Anatomy};

/// What judges credentials, and where its keys come from.
pub struct Judge<'a> {
    /// The stage.
    pub authn: Authn,
    /// The configuration that it was made of.
    pub configuration: &'a Configuration,
    /// What stands in for keys that are fetched.
    pub stand_ins: &'a StandIns,
    /// The time.
    pub now: UnixTime,
    /// Whether what was in an encrypted credential is told too.
    pub shows_tokens: bool,
}

impl Judge<'_> {
    /// Examine a credential, with the keys that stand in for fetched ones.
    ///
    /// # Errors
    /// One of these cannot be used.
    pub fn examine(&mut self, credential: &[u8], source: Option<&Source>) -> anyhow::Result<Examination> {
        self.stand_ins.answer(&mut self.authn as &mut dyn Stage, self.now)?;
        let examination = self.authn.examine(credential, source, self.now);
        if !matches!(examination.verdict, Err(Doubt::KeysPending(_))) {
            return Ok(examination);
        }
        // A key that is not there is asked for once more, as a proxy would.
        self.stand_ins.answer(&mut self.authn as &mut dyn Stage, self.now)?;
        Ok(self.authn.examine(credential, source, self.now))
    }

    /// The steps of an examination in words. Of what was in an encrypted credential no word is told unless it `shows_tokens`.
    pub fn steps(&self, credential: &[u8], examination: &Examination) -> Vec<Step> {
        if let Some(set) = &examination.api_keys {
            return vec![match &examination.verdict {
                Ok(_) => Step::ok("key", format!("one of the API keys of {set}")),
                Err(_) => Step::failed("key", format!("none of the API keys of {set}")),
            }];
        }
        let Some(decrypted) = &examination.decrypted else { return self.signed(&Anatomy::of(credential), examination) };
        let mut steps = vec![encryption(credential, decrypted)];
        if let Ok(inner) = decrypted {
            let inner = self.signed(&Anatomy::of(inner.token()), examination);
            let hidden = |step: Step| Step { says: "of the token in it, which --show-token shows".to_owned(), ..step };
            steps.extend(inner.into_iter().map(|step| if self.shows_tokens { step } else { hidden(step) }));
        }
        steps
    }

    /// The steps of a signed token.
    fn signed(&self, anatomy: &Anatomy, examination: &Examination) -> Vec<Step> {
        if let Err(malformed) = &examination.form {
            return vec![Step::failed("form", malformed.to_string())];
        }
        let mut steps = vec![Step::ok("form", "a signed token: three parts of base64url, JSON in the first two")];
        let entries: Vec<_> = self.authn.entries(self.now).collect();
        let Some(entry) = examination.entry.and_then(|index| entries.get(index)) else {
            steps.push(Step::failed("entry", no_entry(anatomy.claim("iss"), &entries)));
            return steps;
        };
        let issuer =
            entry.issuer.map_or_else(|| "tokens without `iss`".to_owned(), |issuer| format!("tokens of {}", quoted(issuer)));
        steps.push(Step::ok("entry", format!("jwtRules[{}] ({}) takes {issuer}", entry.place, entry.name)));
        self.signature(anatomy, examination, entry, &mut steps);
        let claims = examination.claims.iter().map(|(check, holds)| claim_step(*check, *holds, entry.claims, anatomy, self.now));
        steps.extend(claims);
        steps.extend(binding_step(examination));
        if let Err(Doubt::Refused(rejection)) = examination.verdict
            && steps.iter().all(|step| step.outcome == Outcome::Ok)
        {
            // What comes after the claims: the headers that are made of them.
            steps.push(Step::failed("headers", rejection.description()));
        }
        steps
    }

    fn signature(&self, anatomy: &Anatomy, examination: &Examination, entry: &Entry<'_>, steps: &mut Vec<Step>) {
        let Keys::Ready(keys) = &entry.keys else {
            steps.push(Step::unknown("keys", self.no_keys(entry)));
            return;
        };
        let named = anatomy.parameter("alg").unwrap_or_default();
        let Some(algorithm) = Algorithm::parse(named).filter(|algorithm| entry.algorithms.contains(*algorithm)) else {
            let allowed = if entry.algorithms.is_empty() { "none".to_owned() } else { listed(entry.algorithms) };
            steps.push(Step::failed("algorithm", format!("{named} is not allowed; allowed: {allowed}")));
            return;
        };
        steps.push(Step::ok("algorithm", format!("{named} is allowed, of {}", listed(entry.algorithms))));
        let views = keys.keys();
        let jwks = entry.fetch.map_or_else(|| self.configuration.jwks(entry.place), |fetch| self.stand_ins.jwks(fetch));
        let shown = |view: &KeyView<'_>| key_words(view, jwks.as_ref());
        let key_id = anatomy.parameter("kid");
        let fitting: Vec<_> = views.iter().filter(|view| view.fits(key_id, algorithm)).map(shown).collect();
        let signature = examination.signature.unwrap_or(Err(Rejection::KeysUnavailable));
        match signature {
            Err(Rejection::KeyUnknown | Rejection::AlgorithmNotAllowed) => {
                let asked = match key_id {
                    Some(key_id) => format!("the token names the key {}", quoted(key_id)),
                    None => "the token names no key (`kid`)".to_owned(),
                };
                let problem = match (signature, key_id, fitting.len()) {
                    (Err(Rejection::AlgorithmNotAllowed), ..) => format!("which is not for {named}"),
                    (_, Some(_), _) => "which is not there".to_owned(),
                    (_, None, 0) => format!("and none is for {named}"),
                    (_, None, count) => format!("and {count} could be meant"),
                };
                let all: Vec<_> = views.iter().map(shown).collect();
                steps.push(Step::failed("key", format!("{asked}, {problem}; there are: {}", all.join("; "))));
            }
            verdict => {
                steps.push(Step::ok("key", fitting.join("; or ")));
                steps.push(match verdict {
                    Ok(()) => Step::ok("signature", format!("made with this key, by {named}")),
                    Err(_) => Step::failed("signature", "not made with this key, or the token was changed after it was signed"),
                });
            }
        }
    }

    fn no_keys(&self, entry: &Entry<'_>) -> String {
        if entry.fetch.is_some() {
            return format!(
                "are fetched while the proxy runs, and nothing is fetched here; give them with --jwks '{}=FILE'",
                entry.label
            );
        }
        let missing = self.configuration.missing_variables().join(", ");
        format!("are not known here: the environment does not have {missing}")
    }
}

/// Whether an encrypted credential was decrypted.
fn encryption(credential: &[u8], decrypted: &Result<Decrypted, Rejection>) -> Step {
    let name = "encryption";
    let encrypted = match EncryptedToken::read(credential) {
        Ok(encrypted) => encrypted,
        Err(malformed) => return Step::failed(name, malformed.to_string()),
    };
    let how = format!("`{}` with `{}`", encrypted.management().as_str(), encrypted.encryption().as_str());
    let key = encrypted.key_id().map_or_else(|| "no key by name (`kid`)".to_owned(), |id| format!("the key {}", quoted(id)));
    match decrypted {
        Ok(_) => Step::ok(name, format!("{how}, for {key}; decrypted")),
        Err(Rejection::AlgorithmNotAllowed) => Step::failed(name, format!("{how}, which the entry does not allow")),
        Err(Rejection::TokenUndecryptable) => Step::failed(
            name,
            format!("{how}, for {key}; no one key of the entry's is meant that decrypts it, or it was changed on its way"),
        ),
        Err(Rejection::IssuerUnknown) => {
            Step::failed(name, format!("{how}, for {key}; decrypted, and what is in it is of an issuer with other keys"))
        }
        Err(_) => Step::failed(name, format!("{how}, for {key}; what is in it is no signed token")),
    }
}

/// What a token is bound to, where that is known, or has to be.
fn binding_step(examination: &Examination) -> Option<Step> {
    let base64url = |digest: &Digest| URL_SAFE_NO_PAD.encode(digest);
    let outcome = match examination.verdict {
        Err(Doubt::Refused(Rejection::TokenBindingMismatch | Rejection::TokenNotBound)) => Outcome::Failed,
        _ => Outcome::Ok,
    };
    let says = match &examination.confirmation {
        Some(Confirmation::Unknown) => "the token is bound to something that is not known here, so it never counts".to_owned(),
        Some(Confirmation::Held { key, certificate }) => {
            let key = key.as_ref().map(|digest| {
                format!(
                    "the key with the thumbprint {}: it counts with the scheme DPoP and a proof of that key",
                    base64url(digest)
                )
            });
            let certificate = certificate.as_ref().map(|digest| {
                format!("the certificate with the SHA-256 {}: it counts from a client that shows that one", base64url(digest))
            });
            let bound: Vec<_> = key.into_iter().chain(certificate).collect();
            format!("the token is bound to {}", bound.join("; and to "))
        }
        None if outcome == Outcome::Failed => {
            "the token is not bound to a key, and the entry asks for that: `dpop.required`".to_owned()
        }
        None => return None,
    };
    Some(Step::new("cnf", outcome, says))
}

/// Whether a rejection says that something could not be looked at, rather than that it is wrong.
pub const fn is_unknown(doubt: Doubt) -> bool {
    matches!(doubt, Doubt::KeysPending(_) | Doubt::Refused(Rejection::KeysUnavailable))
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn listed(algorithms: AlgorithmSet) -> String {
    algorithms.iter().map(Algorithm::as_str).collect::<Vec<_>>().join(", ")
}

/// A key in words, without what is secret of it.
fn key_words(view: &KeyView<'_>, jwks: Option<&Value>) -> String {
    let Some(index) = view.index else {
        let is_secret = view.algorithms.iter().all(Algorithm::is_symmetric);
        return if is_secret { "the secret".to_owned() } else { format!("the only one, for {}", listed(view.algorithms)) };
    };
    let jwk = jwks.and_then(|jwks| jwks.get("keys")?.get(index));
    let member = |name: &str| jwk.and_then(|jwk| jwk.get(name)?.as_str());
    let mut words = format!("keys[{index}]");
    if let Some(id) = view.id {
        words.push_str(&format!(" {}", quoted(id)));
    }
    let kind: Vec<_> = [member("kty"), member("crv")].into_iter().flatten().collect();
    words.push_str(&format!(", {}, for {}", kind.join(" "), listed(view.algorithms)));
    if let Some(thumbprint) = jwk.and_then(jwk::thumbprint) {
        words.push_str(&format!(", thumbprint {thumbprint}"));
    }
    words
}

fn no_entry(issuer: Option<&str>, entries: &[Entry<'_>]) -> String {
    let known: Vec<_> = entries.iter().map(|entry| entry.issuer.map_or_else(|| "none".to_owned(), quoted)).collect();
    let known = if known.is_empty() { "there are none".to_owned() } else { format!("they are for {}", known.join(", ")) };
    let Some(issuer) = issuer else {
        return format!("the token has no `iss`, and no jwtRules entry is for such tokens; {known}");
    };
    let same = |entry: &&Entry<'_>| entry.issuer == Some(issuer);
    if entries.iter().any(|entry| same(&entry)) {
        return format!("no jwtRules entry takes tokens of {} from this place", quoted(issuer));
    }
    let bare = |text: &str| text.trim_end_matches('/').to_ascii_lowercase();
    let near = entries.iter().filter_map(|entry| entry.issuer).find(|known| bare(known) == bare(issuer));
    let hint = near.map(|near| format!("; {} differs only in case or a slash, and issuers are compared exactly", quoted(near)));
    format!("no jwtRules entry is for {}; {known}{}", quoted(issuer), hint.unwrap_or_default())
}

fn claim_step(check: ClaimCheck, holds: Result<(), Rejection>, rules: &ClaimRules, anatomy: &Anatomy, now: UnixTime) -> Step {
    let outcome = if holds.is_ok() { Outcome::Ok } else { Outcome::Failed };
    let skew = rules.clock_skew.as_secs();
    let claim = |name: &str| anatomy.claims.as_ref()?.get(name);
    let point = |name: &str| claim(name).and_then(|value| anatomy::time(name, value));
    let told = |name: &str| point(name).map(|time| format!("{name} {}, {}", instant::utc(time), instant::distance(time, now)));
    let (name, says) = match check {
        ClaimCheck::Type => {
            let found = anatomy
                .parameter("typ")
                .map_or_else(|| "the token has no `typ`".to_owned(), |typ| format!("`typ` is {}", quoted(typ)));
            let asked = rules.require_type.as_deref().map_or_else(|| "JWT, …+jwt or none".to_owned(), quoted);
            ("typ", format!("{found}; asked for: {asked}"))
        }
        ClaimCheck::Issuer => {
            ("iss", rules.issuer.as_deref().map_or_else(|| "any".to_owned(), |issuer| format!("is {}", quoted(issuer))))
        }
        ClaimCheck::Expiration => {
            let found = match (told("exp"), rules.require_expiration) {
                (Some(told), _) => told,
                (None, true) => "the token has no `exp`, and one is required".to_owned(),
                (None, false) => "the token never expires, which is allowed here".to_owned(),
            };
            ("exp", format!("{found}; clock skew {skew}s"))
        }
        ClaimCheck::Start => {
            let found: Vec<_> = ["nbf", "iat"].into_iter().filter_map(told).collect();
            let found = if found.is_empty() { "the token does not say when it begins".to_owned() } else { found.join("; ") };
            ("nbf", format!("{found}; clock skew {skew}s"))
        }
        ClaimCheck::Lifetime => {
            let start = point("iat").or_else(|| point("nbf"));
            let found = match (start, point("exp")) {
                (Some(start), Some(end)) => format!("valid for {}", instant::length(end.since(start))),
                _ => "the token does not say for how long it is valid".to_owned(),
            };
            let most =
                rules.max_lifetime.map_or_else(|| "no limit".to_owned(), |most| format!("at most {}", instant::length(most)));
            ("lifetime", format!("{found}; {most}"))
        }
        ClaimCheck::Audience => {
            let found =
                claim("aud").map_or_else(|| "the token has no `aud`".to_owned(), |found| format!("the token is for {found}"));
            let asked = if rules.audiences.is_empty() {
                "any will do".to_owned()
            } else {
                format!("asked for: {}", rules.audiences.iter().map(|one| quoted(one)).collect::<Vec<_>>().join(" or "))
            };
            ("aud", format!("{found}; {asked}"))
        }
    };
    Step::new(name, outcome, says)
}
