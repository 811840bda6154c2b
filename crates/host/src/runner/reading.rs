//! Reads from the proxy what the stages want to know.

use portcullis_core::request::Request;
use portcullis_core::stage::{Exchange, Route};
use portcullis_core::time::UnixTime;

use super::Runner;
use crate::error::{Error, Result};
use crate::identity::{DECISION, PRINCIPAL, Understand};
use crate::proxy::Proxy;
use crate::severity::Severity;

/// The place of the rule's name in the metadata of the proxy's route. A value that is no string comes as bytes too, and then
/// names no rule.
const ROUTE_RULE: &str = "xds\0route_metadata\0filter_metadata\0portcullis\0rule";
/// The place of what a route says about the record of its requests.
const ROUTE_RECORD: &str = "xds\0route_metadata\0filter_metadata\0portcullis\0audit";
const ROUTE_NAME: &str = "xds\0route_name";

impl<P: Proxy> Runner<'_, P> {
    /// Puts into a new exchange what the effective context's is, or nothing; the time.
    pub(super) fn read_request(&self, exchange: &mut Exchange) -> Result<UnixTime> {
        let headers = self.proxy.request_headers()?;
        let now = self.proxy.now()?;
        let needs = self.root.needs;
        let name = if needs.route_name { self.read_route_name()? } else { None };
        let rule = if needs.route_rule { self.proxy.property(ROUTE_RULE)? } else { None };
        if let Some(understand) = self.root.identity_reader() {
            self.read_identity(understand, exchange)?;
        }
        exchange.request = Request::new(headers);
        exchange.route = Route { name, rule, record: None };
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

    /// What the route says about the record of its requests. Where it cannot be read it is taken for a word that is none.
    pub(super) fn read_route_record(&self) -> Option<Vec<u8>> {
        self.proxy.property(ROUTE_RECORD).unwrap_or_else(|_| Some(Vec::new()))
    }

    fn read_route_name(&self) -> Result<Option<String>> {
        let name = self.proxy.property(ROUTE_NAME)?;
        // A name that is no text is not taken for "no route": a rule may deny the route.
        let name = name.map(String::from_utf8).transpose().map_err(|_| Error::malformed("get_property"))?;
        Ok(name.filter(|name| !name.is_empty()))
    }

    /// Puts into the exchange what the module before this one decided.
    ///
    /// What is not there is left out, and so is what cannot be understood.
    pub(super) fn read_identity(&self, understand: Understand, exchange: &mut Exchange) -> Result<()> {
        let decision = self.proxy.property(DECISION)?;
        let principal = self.proxy.property(PRINCIPAL)?;
        for key in understand(decision.as_deref(), principal.as_deref(), exchange) {
            self.proxy
                .log(Severity::Error, &format!("portcullis: the filter state {key} is not what it should be; it is left out"));
        }
        Ok(())
    }
}
