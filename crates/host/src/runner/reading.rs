//! Reads from the proxy what the stages want to know.

use std::rc::Rc;

use portcullis_core::decision::Decision;
use portcullis_core::principal::{Identity, Principal};
use portcullis_core::request::Request;
use portcullis_core::stage::{Exchange, Route};
use portcullis_core::time::UnixTime;

use super::Runner;
use crate::error::{Error, Result};
use crate::proxy::Proxy;
use crate::severity::Severity;

/// The filter state that holds who is calling.
pub const PRINCIPAL: &str = "portcullis.principal";
/// The filter state that holds what was decided.
pub const DECISION: &str = "portcullis.decision";

/// The place of the rule's name in the metadata of the proxy's route. A value that is no string comes as bytes too, and then
/// names no rule.
const ROUTE_RULE: &str = "xds\0route_metadata\0filter_metadata\0portcullis\0rule";
const ROUTE_NAME: &str = "xds\0route_name";

impl<P: Proxy> Runner<'_, P> {
    /// Puts into a new exchange what the effective context's is, or nothing; the time.
    pub(super) fn read_request(&self, exchange: &mut Exchange) -> Result<UnixTime> {
        let headers = self.proxy.request_headers()?;
        let now = self.proxy.now()?;
        let needs = self.root.needs;
        let name = if needs.route_name { self.read_route_name()? } else { None };
        let rule = if needs.route_rule { self.proxy.property(ROUTE_RULE)? } else { None };
        if self.root.reads_identity() {
            self.read_identity(exchange)?;
        }
        exchange.request = Request::new(headers);
        exchange.route = Route { name, rule };
        exchange.started = Some(now);
        Ok(now)
    }

    /// The exchange of a request whose headers came by unseen: what can still be read of it.
    pub(super) fn read_late(&self) -> Exchange {
        let headers = self.proxy.request_headers().unwrap_or_default();
        let mut exchange = Exchange::new(Request::new(headers), None);
        if self.root.needs.route_name {
            exchange.route.name = self.read_route_name().ok().flatten();
        }
        exchange
    }

    fn read_route_name(&self) -> Result<Option<String>> {
        let name = self.proxy.property(ROUTE_NAME)?;
        // A name that is no text is not taken for "no route": a rule may deny the route.
        let name = name.map(String::from_utf8).transpose().map_err(|_| Error::malformed("get_property"))?;
        Ok(name.filter(|name| !name.is_empty()))
    }

    /// Puts into the exchange what the module before this one decided.
    ///
    /// What is not there is left out; so is what cannot be understood, for nothing may be made of half an identity.
    pub(super) fn read_identity(&self, exchange: &mut Exchange) -> Result<()> {
        let decision = self.proxy.property(DECISION)?;
        let principal = self.proxy.property(PRINCIPAL)?;
        exchange.decision = decision.and_then(|json| self.understand::<Decision>(DECISION, &json));
        exchange.identity = principal.and_then(|json| {
            let principal = self.understand::<Principal>(PRINCIPAL, &json)?;
            let vouched = exchange.decision.as_ref().and_then(|decision| decision.issuer.clone());
            let issuer_name = vouched.unwrap_or_else(|| Rc::from(principal.issuer.as_str()));
            Some(Rc::new(Identity::new(principal, issuer_name)))
        });
        Ok(())
    }

    fn understand<T: serde::de::DeserializeOwned>(&self, key: &str, json: &[u8]) -> Option<T> {
        let value = serde_json::from_slice(json).ok();
        if value.is_none() {
            self.proxy
                .log(Severity::Error, &format!("portcullis: the filter state {key} is not what it should be; it is left out"));
        }
        value
    }
}
