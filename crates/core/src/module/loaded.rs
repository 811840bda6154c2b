//! What a module's document becomes: its stages, and what is to be said of them.

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
use crate::config::{ConfigError, Warning};
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

impl Loaded {
    /// The observers come first: a filter behind the one that answers never sees the request.
    pub(super) fn bundle(
        &mut self,
        config: &BundleConfig,
        platform: &Platform<'_>,
        version: ConfigVersion,
    ) -> Result<(), ConfigError> {
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

    pub(super) fn authn(&mut self, config: &JwtAuthConfig, platform: &Platform<'_>) -> Result<(), ConfigError> {
        self.tracing(config, None, platform)?;
        let (policy, keyrings) = authn::Policy::compile(config, None, platform.environment, &mut self.warnings)?;
        self.publication = policy.publication();
        let signatures = self.signatures(platform);
        self.stages.push(Box::new(Authn::new(policy, keyrings).with_signatures(signatures)));
        self.destinations.extend(authn::destinations(config));
        self.warnings.extend(self.publication.warnings());
        Ok(())
    }

    pub(super) fn auth_header(&mut self, config: &AuthHeaderConfig, platform: &Platform<'_>) -> Result<(), ConfigError> {
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
    pub(super) fn audit(
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

    pub(super) fn metrics(&mut self, config: &MetricsConfig, standalone: bool) -> Result<Rc<metrics::Policy>, ConfigError> {
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
