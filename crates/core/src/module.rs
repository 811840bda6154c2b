//! The deployable modules and how each turns its document into stages.

use std::fmt;
use std::rc::Rc;

use crate::audit::{self, AuditLog, Sampler, Serials, Sinks};
use crate::auth_header::{self, AuthHeader, InternalToken};
use crate::authn::{self, Authn, Destination, Inject};
use crate::config::audit_log::AuditLogConfig;
use crate::config::auth_header::{AuthHeaderConfig, Forward};
use crate::config::bundle::BundleConfig;
use crate::config::jwt_auth::JwtAuthConfig;
use crate::config::metrics::MetricsConfig;
use crate::config::{ConfigError, Environment, Warning};
use crate::config_version::ConfigVersion;
use crate::exceptions::{self, Exceptions};
use crate::health::HealthEndpoint;
use crate::jose::{AlgorithmSet, Signatures};
use crate::metrics::{self, Metrics};
use crate::platform::Platform;
use crate::publication::Publication;
use crate::published_keys::PublishedKeys;
use crate::stage::Stage;
use crate::tracing::{self, CalloutTraces, SpanSink, Tracing};
use crate::upstream::{self, UpstreamCredentials};

/// A deployable module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Module {
    /// Authenticates and applies the rule of the route.
    JwtAuth,
    /// Strips forged identity headers and injects the true ones.
    AuthHeader,
    /// Records what was done.
    AuditLog,
    /// Counts.
    Metrics,
    /// All of them in one pass.
    Bundle,
}

/// What a document became.
#[derive(Default)]
pub struct Loaded {
    /// The stages, in the order in which they run.
    pub stages: Vec<Box<dyn Stage>>,
    /// What deserves a second look.
    pub warnings: Vec<Warning>,
    /// The algorithms whose signatures the proxy verifies, at native speed.
    pub native_algorithms: AlgorithmSet,
    /// The labels that its metrics of requests have.
    pub metric_labels: Vec<String>,
    /// The clusters that the proxy must have.
    pub destinations: Vec<Destination>,
    /// What is written to filter state, where the stages decide who is calling.
    pub publication: Publication,
    /// What the requests say of traces that the stages send.
    pub callout_traces: CalloutTraces,
}

impl fmt::Debug for Loaded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Loaded")
            .field("stages", &self.stages.len())
            .field("warnings", &self.warnings)
            .finish_non_exhaustive()
    }
}

impl Module {
    /// The stages of this module for a document.
    ///
    /// # Errors
    /// The first thing that is wrong with the document.
    pub fn load<'a>(self, document: &[u8], platform: impl Into<Platform<'a>>) -> Result<Loaded, ConfigError> {
        self.load_on(document, &platform.into())
    }

    fn load_on(self, document: &[u8], platform: &Platform<'_>) -> Result<Loaded, ConfigError> {
        let mut loaded = Loaded::default();
        match self {
            Self::JwtAuth => loaded.authn(&JwtAuthConfig::parse(document)?, platform)?,
            Self::AuthHeader => loaded.auth_header(&AuthHeaderConfig::parse(document)?, platform)?,
            Self::AuditLog => loaded.audit(&AuditLogConfig::parse(document)?, None, platform)?,
            Self::Metrics => drop(loaded.metrics(&MetricsConfig::parse(document)?, true)?),
            Self::Bundle => {
                let config = BundleConfig::parse(document)?;
                loaded.bundle(&config, platform, ConfigVersion::of(document))?;
            }
        }
        Ok(loaded)
    }

    /// The stage of this module that authenticates, by itself, for tools that look inside; `None` when it has none.
    ///
    /// # Errors
    /// The first thing that is wrong with what it is made of.
    pub fn authn(self, document: &[u8], environment: &dyn Environment) -> Result<Option<Authn>, ConfigError> {
        let (config, forward) = match self {
            Self::JwtAuth => (JwtAuthConfig::parse(document)?, None),
            Self::Bundle => {
                let config = BundleConfig::parse(document)?;
                let forward = config.forward();
                (config.jwt_auth, forward)
            }
            Self::AuthHeader | Self::AuditLog | Self::Metrics => return Ok(None),
        };
        let (policy, keyrings) = authn::Policy::compile(&config, forward, environment, &mut Vec::new())?;
        Ok(Some(Authn::new(policy, keyrings)))
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::JwtAuth => "jwt-auth",
            Self::AuthHeader => "auth-header",
            Self::AuditLog => "audit-log",
            Self::Metrics => "metrics",
            Self::Bundle => "portcullis",
        }
    }

    /// Whether the module decides who is calling, and so writes principal and decision, as far as they are wanted, for the modules
    /// after it.
    #[must_use]
    pub const fn publishes_identity(self) -> bool {
        matches!(self, Self::JwtAuth | Self::Bundle)
    }
}

impl Loaded {
    /// The observers come first: a filter behind the one that answers never sees the request.
    fn bundle(&mut self, config: &BundleConfig, platform: &Platform<'_>, version: ConfigVersion) -> Result<(), ConfigError> {
        let spans = self.spans(config, platform)?;
        let ((authn, keyrings), callout_traces) = self.within("jwtAuth", |part| {
            let compiled = authn::Policy::compile(&config.jwt_auth, config.forward(), platform.environment, &mut part.warnings)?;
            part.destinations.extend(authn::destinations(&config.jwt_auth));
            part.tracing(&config.jwt_auth, spans, platform)?;
            Ok((compiled, std::mem::take(&mut part.callout_traces)))
        })?;
        self.callout_traces = callout_traces;
        let metrics = config.metrics.as_ref().map(|config| {
            self.within("metrics", |part| {
                part.health(config, version, &authn)?;
                part.metrics(config, false)
            })
        });
        let metrics = metrics.transpose()?;
        if let Some(audit_log) = &config.audit_log {
            self.within("auditLog", |part| part.audit(audit_log, Some(&authn), platform))?;
        }
        self.publication = authn.publication();
        let auth_header = config.auth_header.as_ref();
        let auth_header =
            auth_header.map(|config| self.within("authHeader", |part| part.auth_header_policy(config, platform))).transpose()?;
        let (auth_header, token) = auth_header.unzip();
        if auth_header.as_ref().is_some_and(|policy| policy.clears_route_cache()) && authn.looks_at_routes() {
            return Err(ConfigError::new(
                "authHeader.clearRouteCache",
                "contradicts rules by route: the proxy does not tell which one it chooses anew, whose rule would hold for nobody",
            )
            .hint("set `jwtAuth.routeRules: false` and match no `routes`; select rules by host, path and method"));
        }
        let inject = auth_header.clone().map(|policy| -> Rc<dyn Inject> { policy });
        let signatures = self.signatures(platform);
        let authn = Authn::new(authn, keyrings).with_signatures(signatures).before(inject);
        let is_measured = metrics.is_none_or(|policy| policy.measures_verifications());
        self.stages.push(Box::new(if is_measured { authn } else { authn.unmeasured() }));
        if let Some(policy) = auth_header {
            self.stages.push(Box::new(AuthHeader::new(policy, false).with_token(token.flatten())));
        }
        match &config.auth_header {
            Some(config) => self.within("authHeader", |part| part.upstream(config, platform)),
            None => Ok(()),
        }
    }

    /// Load a part whose object stands at `key`: its errors and warnings name places from there.
    fn within<T>(&mut self, key: &str, load: impl FnOnce(&mut Self) -> Result<T, ConfigError>) -> Result<T, ConfigError> {
        let mut part = Self::default();
        let loaded = load(&mut part).map_err(|error| error.within(key))?;
        self.stages.append(&mut part.stages);
        self.metric_labels.append(&mut part.metric_labels);
        self.warnings.extend(part.warnings.into_iter().map(|warning| warning.within(key)));
        self.destinations.extend(part.destinations.into_iter().map(|destination| destination.within(key)));
        Ok(loaded)
    }

    /// Who verifies signatures: the proxy, as far as it passes a test that is made here and now.
    fn signatures(&mut self, platform: &Platform<'_>) -> Signatures {
        let signatures = platform.native_signatures.clone().map_or_else(Signatures::in_module, Signatures::tested);
        if !signatures.not_by_proxy().is_empty() {
            let message = format!(
                "the proxy does not verify signatures by {}; the module does, with the same verdict, more slowly",
                signatures.not_by_proxy()
            );
            self.warnings.push(Warning::new("", message));
        }
        self.native_algorithms = signatures.by_proxy();
        signatures
    }

    /// The trace of a request is settled before anything else.
    fn tracing(
        &mut self,
        config: &JwtAuthConfig,
        spans: Option<Box<dyn SpanSink>>,
        platform: &Platform<'_>,
    ) -> Result<(), ConfigError> {
        if let Some(tracing) = &config.tracing {
            let (stage, callout_traces) = Tracing::compile(tracing, "tracing", platform, spans)?;
            self.stages.push(Box::new(stage));
            self.callout_traces = callout_traces;
        }
        Ok(())
    }

    /// Who is told of spans.
    fn spans(&mut self, config: &BundleConfig, platform: &Platform<'_>) -> Result<Option<Box<dyn SpanSink>>, ConfigError> {
        const PATH: &str = "spans";
        let Some(spans) = &config.spans else { return Ok(None) };
        if config.jwt_auth.tracing.is_none() {
            return Err(ConfigError::new(PATH, "needs `jwtAuth.tracing`, which names spans").hint("add `tracing: {}` there"));
        }
        self.destinations.extend(tracing::Export::destination(spans, PATH));
        Ok(Some(Box::new(tracing::Export::compile(spans, PATH, platform, &mut self.warnings)?)))
    }

    fn authn(&mut self, config: &JwtAuthConfig, platform: &Platform<'_>) -> Result<(), ConfigError> {
        self.tracing(config, None, platform)?;
        let (policy, keyrings) = authn::Policy::compile(config, None, platform.environment, &mut self.warnings)?;
        self.publication = policy.publication();
        let signatures = self.signatures(platform);
        self.stages.push(Box::new(Authn::new(policy, keyrings).with_signatures(signatures)));
        self.destinations.extend(authn::destinations(config));
        self.warnings.extend(self.publication.warnings());
        Ok(())
    }

    fn auth_header(&mut self, config: &AuthHeaderConfig, platform: &Platform<'_>) -> Result<(), ConfigError> {
        let (policy, token) = self.auth_header_policy(config, platform)?;
        if policy.forward() == Some(Forward::Keep) {
            let message = "changes nothing here: jwt-auth keeps or strips the token, by `forwardOriginalToken`";
            self.warnings.push(Warning::new("token.forward", message));
        }
        if policy.clears_route_cache() {
            let message = "the module before this one decides by the route that was chosen first: let it have no rules by route";
            self.warnings.push(Warning::new("clearRouteCache", message));
        }
        self.stages.push(Box::new(AuthHeader::new(policy, true).with_token(token)));
        self.upstream(config, platform)
    }

    /// The gateway's own credentials come last: they replace what others put into their headers.
    fn upstream(&mut self, config: &AuthHeaderConfig, platform: &Platform<'_>) -> Result<(), ConfigError> {
        const PATH: &str = "upstream";
        if config.upstream.is_empty() {
            return Ok(());
        }
        if config.clear_route_cache {
            let problem = "contradicts `clearRouteCache`: a credential would go wherever the route leads that is chosen anew";
            return Err(ConfigError::new(PATH, problem).hint("let another auth-header set it, behind this one"));
        }
        let policy = upstream::Policy::compile(&config.upstream, PATH, platform.environment, &mut self.warnings)?;
        self.stages.push(Box::new(UpstreamCredentials::new(policy)));
        self.destinations.extend(upstream::destinations(&config.upstream, PATH));
        Ok(())
    }

    /// The policy, and what makes the gateway's own tokens. The stage that serves their keys comes before the one that authenticates.
    fn auth_header_policy(
        &mut self,
        config: &AuthHeaderConfig,
        platform: &Platform<'_>,
    ) -> Result<(Rc<auth_header::Policy>, Option<InternalToken>), ConfigError> {
        const PATH: &str = "token.internal";
        let (policy, warnings) = auth_header::Policy::compile(config, platform.environment)?;
        self.warnings.extend(warnings);
        let policy = Rc::new(policy);
        let Some(internal) = config.token.as_ref().and_then(|token| token.internal.as_ref()) else { return Ok((policy, None)) };
        let (token, keys) = InternalToken::compile(internal, PATH, platform, &mut self.warnings)?;
        if let Some(target) = &internal.jwks_path {
            self.stages.push(Box::new(PublishedKeys::compile(target, &format!("{PATH}.jwksPath"), &keys)?));
        }
        Ok((policy, Some(token)))
    }

    /// Beside a policy that decides, its rules are known; else principal and decision come from another module.
    fn audit(
        &mut self,
        config: &AuditLogConfig,
        beside: Option<&authn::Policy>,
        platform: &Platform<'_>,
    ) -> Result<(), ConfigError> {
        audit::refuse_contradictions(config)?;
        let (policy, warnings) = audit::Policy::compile(config)?;
        self.warnings.extend(warnings);
        let policy = policy.with_privacy(config, platform.environment, &mut self.warnings)?;
        let policy = policy.with_rules(beside.into_iter().flat_map(authn::Policy::matchers));
        let seed = platform.seed.ok_or_else(|| ConfigError::new("", "cannot name its events: the proxy has no randomness"))?;
        let sinks = Sinks::compile(config.sinks.as_deref(), platform, &seed, &mut self.warnings)?;
        self.destinations.extend(audit::destinations(config.sinks.as_deref().unwrap_or_default()));
        let policy = if sinks.are_lean() { policy.lean() } else { policy };
        let serials = Serials::new(&seed);
        let chain = audit::compile_chain(config.chain.as_ref(), "chain", &serials, platform.environment, &mut self.warnings)?;
        let (policy, standalone) = (Rc::new(policy), beside.is_none());
        let stage = AuditLog::new(Rc::clone(&policy), standalone, serials, sinks);
        self.stages.push(Box::new(stage.with_sampler(Sampler::new(&seed)).with_chain(chain)));
        if let Some(config) = &config.exceptions {
            const PATH: &str = "exceptions";
            let stage = Exceptions::compile(config, PATH, policy, standalone, platform, &mut self.warnings)?;
            self.stages.push(Box::new(stage));
            self.destinations.extend(exceptions::destinations(&config.webhooks, &format!("{PATH}.webhooks")));
        }
        Ok(())
    }

    /// Whoever asks how the gateway is doing is answered before anybody else is heard.
    fn health(&mut self, config: &MetricsConfig, version: ConfigVersion, authn: &authn::Policy) -> Result<(), ConfigError> {
        let Some(health) = &config.health else { return Ok(()) };
        self.stages.push(Box::new(HealthEndpoint::compile(health, "health", version, &authn.issuer_names())?));
        Ok(())
    }

    fn metrics(&mut self, config: &MetricsConfig, standalone: bool) -> Result<Rc<metrics::Policy>, ConfigError> {
        if standalone && config.health.is_some() {
            return Err(ConfigError::new(
                "health",
                "is for the bundle: as a module of its own this one sees neither keys nor sinks",
            )
            .hint("load portcullis.wasm, or let the proxy's own health_check filter answer for the proxy alone"));
        }
        let (policy, warnings) = metrics::Policy::compile(config)?;
        self.warnings.extend(warnings);
        let policy = Rc::new(policy);
        self.metric_labels.extend(policy.label_names());
        self.stages.push(Box::new(Metrics::new(Rc::clone(&policy), standalone)));
        Ok(policy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Variable;
    use crate::headers::Headers;
    use crate::request::Request;
    use crate::stage::{Alone, Exchange, Verdict};
    use crate::time::UnixTime;

    fn load(module: Module, document: &str) -> Result<(usize, Vec<String>), String> {
        let loaded = module.load(document.as_bytes(), &|_: &str| Variable::Unset).map_err(|error| error.to_string())?;
        Ok((loaded.stages.len(), loaded.warnings.iter().map(ToString::to_string).collect()))
    }

    #[test]
    fn the_bundle_runs_the_stages_that_its_document_names() {
        let no_issuer = "jwtAuth.jwtRules: there is no issuer, so no token will ever be valid".to_owned();
        assert_eq!(load(Module::Bundle, r#"{"jwtAuth":{}}"#), Ok((1, vec![no_issuer.clone()])));
        let all = r#"{"metrics":{},"auditLog":{},"jwtAuth":{},"authHeader":{"strip":["x-user-*"]}}"#;
        assert_eq!(load(Module::Bundle, all), Ok((4, vec![no_issuer])));
    }

    #[test]
    fn the_keys_of_the_gateway_are_served_before_anybody_is_asked_who_they_are() {
        let key = r#"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\",
            \"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\"}"#
            .replace('\n', " ");
        let part = |path: &str| {
            format!(
                r#"{{"token":{{"forward":"replace","internal":{{"issuer":"a","audience":"b","key":{{"inline":"{key}"}},"jwksPath":"{path}"}}}}}}"#
            )
        };
        let inline = "token.internal.key.inline: the secret stands in the configuration; `env` keeps it out";
        assert_eq!(load(Module::AuthHeader, &part("/keys")), Ok((2, vec![inline.to_owned()])));
        let bundle = format!(r#"{{"jwtAuth":{{}},"metrics":{{}},"authHeader":{}}}"#, part("/keys"));
        let mut loaded = Module::Bundle.load(bundle.as_bytes(), &|_: &str| Variable::Unset).unwrap();
        let pseudo = [(":method", "GET"), (":path", "/keys"), (":authority", "a")];
        let mut exchange = Exchange::new(Request::new(Headers::from_pairs(pseudo)), None);
        let now = UnixTime::from_secs(1);
        let verdicts: Vec<_> = loaded.stages.iter_mut().map(|stage| stage.on_request(&mut exchange, now, &mut Alone)).collect();
        assert!(matches!(&verdicts[..], [Verdict::Continue, Verdict::Answer(_), Verdict::Refuse(_), _]), "{verdicts:?}");
        let error = load(Module::Bundle, &format!(r#"{{"jwtAuth":{{}},"authHeader":{}}}"#, part("keys"))).unwrap_err();
        assert!(error.starts_with("authHeader.token.internal.jwksPath: is not an exact path"), "{error}");
    }

    #[test]
    fn errors_name_the_place_in_the_whole_document() {
        for (module, document, expected) in [
            (Module::Bundle, r#"{"jwtAuth":{"jwtRules":[{"issuer":"a"}]}}"#, "jwtAuth.jwtRules[0]: has no keys"),
            (Module::JwtAuth, r#"{"jwtRules":[{"issuer":"a"}]}"#, "jwtRules[0]: has no keys"),
            (Module::Bundle, r#"{"jwtAuth":{},"authHeader":{"strip":["*"]}}"#, "authHeader.strip[0]: matches every header"),
            (Module::Bundle, r#"{"jwtAuth":{},"auditLog":{"sinks":[]}}"#, "auditLog.sinks: "),
            (Module::Bundle, r#"{"jwtAuth":{},"metrics":{"labels":["rule","rule"]}}"#, "metrics.labels[1]: "),
            (Module::Bundle, "{}", "jwtAuth: is missing"),
            (Module::Bundle, r#"{"jwtAuth":{},"spans":{"format":"otlp","uri":"http://a/b"}}"#, "spans: needs `jwtAuth.tracing`"),
            (Module::Bundle, r#"{"jwtAuth":{"tracing":{}},"spans":{"format":"otlp","uri":"b"}}"#, "spans.uri: "),
        ] {
            let error = load(module, document).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn warns_that_the_single_module_cannot_keep_what_another_strips() {
        let keep = r#"{"strip":["x-user-*"],"token":{"forward":"keep"}}"#;
        let warning = "token.forward: changes nothing here: jwt-auth keeps or strips the token, by `forwardOriginalToken`";
        assert_eq!(load(Module::AuthHeader, keep), Ok((1, vec![warning.to_owned()])));
    }

    #[test]
    fn warns_of_what_is_not_heard_and_not_told() {
        let options = r#"{"routeRules":false,"publish":[]}"#;
        let not_heard = "routeRules: a route that names a stricter rule in its metadata is not heard";
        let alone = [
            not_heard,
            "publish: leaves out `principal`: auth-header, audit-log and metrics, as modules of their own, know no caller",
            "publish: leaves out `decision`: audit-log and metrics, as modules of their own, do not know what was decided",
        ];
        let warnings = |module, document: &str| load(module, document).unwrap().1;
        for expected in alone {
            assert!(warnings(Module::JwtAuth, options).contains(&expected.to_owned()), "{expected}");
        }
        let bundle = warnings(Module::Bundle, &format!(r#"{{"jwtAuth":{options}}}"#));
        assert!(bundle.contains(&format!("jwtAuth.{not_heard}")), "{bundle:?}");
        assert!(!bundle.iter().any(|warning| warning.contains("publish")), "{bundle:?}");
        let twice = load(Module::Bundle, r#"{"jwtAuth":{"publish":["principal","principal"]}}"#);
        assert_eq!(twice.unwrap_err(), "jwtAuth.publish[1]: is named twice");
    }

    #[test]
    fn a_route_that_is_chosen_anew_has_no_rule_of_its_own() {
        let document = |authn: &str| format!(r#"{{"jwtAuth":{authn},"authHeader":{{"strip":["x-a"],"clearRouteCache":true}}}}"#);
        for authn in ["{}", r#"{"routeRules":false,"rules":[{"match":{"routes":["a"]}}]}"#] {
            let error = load(Module::Bundle, &document(authn)).unwrap_err();
            assert!(error.starts_with("authHeader.clearRouteCache: contradicts rules by route"), "{error}");
        }
        assert!(load(Module::Bundle, &document(r#"{"routeRules":false,"rules":[{"match":{"paths":["/a"]}}]}"#)).is_ok());
        let (_, warnings) = load(Module::AuthHeader, r#"{"strip":["x-a"],"clearRouteCache":true}"#).unwrap();
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].starts_with("clearRouteCache: "), "{warnings:?}");
    }

    #[test]
    fn a_credential_goes_along_by_the_route_that_is_taken() {
        let upstream = r#"{"clearRouteCache":true,"upstream":[{"match":{"routes":["a"]},"secret":{"inline":"x"}}]}"#;
        let error = load(Module::AuthHeader, upstream).unwrap_err();
        assert!(error.starts_with("upstream: contradicts `clearRouteCache`"), "{error}");
        let error =
            load(Module::Bundle, &format!(r#"{{"jwtAuth":{{"routeRules":false}},"authHeader":{upstream}}}"#)).unwrap_err();
        assert!(error.starts_with("authHeader.upstream: contradicts `clearRouteCache`"), "{error}");
    }

    #[test]
    fn refuses_two_words_on_whether_the_token_goes_on() {
        let document = |entry: bool| {
            format!(
                r#"{{"jwtAuth":{{"jwtRules":[{{"issuer":"a","secret":{{"inline":"{}"}},"forwardOriginalToken":{entry}}}]}},
                    "authHeader":{{"token":{{"forward":"keep"}}}}}}"#,
                "s".repeat(32)
            )
        };
        assert!(load(Module::Bundle, &document(true)).is_ok());
        assert_eq!(
            load(Module::Bundle, &document(false)).unwrap_err(),
            "jwtAuth.jwtRules[0].forwardOriginalToken: contradicts `authHeader.token.forward`; leave one of them out"
        );
    }
}
