//! The headers that a `jwtRules` entry sets by itself, as Istio's does: `outputPayloadToHeader` and `outputClaimToHeaders`.
//!
//! A header named here belongs to the gateway on every path: what a client sends under its name is removed.

use std::rc::Rc;

use crate::auth_header::{NamePattern, Rendering, Unfit};
use crate::claim_set::ClaimSet;
use crate::config::ConfigError;
use crate::config::auth_header::Format;
use crate::config::jwt_rule::JwtRuleConfig;
use crate::edits::Edit;

/// The headers of one entry.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    payload: Option<Output<()>>,
    claims: Vec<Output<String>>,
}

#[derive(Debug)]
struct Output<T> {
    header: Rc<str>,
    pattern: NamePattern,
    what: T,
}

impl<T> Output<T> {
    fn compile(header: &str, what: T, path: &str) -> Result<Self, ConfigError> {
        Ok(Self { header: header.to_ascii_lowercase().into(), pattern: NamePattern::exact(header, path)?, what })
    }
}

impl Outputs {
    /// The outputs of the entry at `path`.
    pub fn compile(config: &JwtRuleConfig, path: &str) -> Result<Self, ConfigError> {
        let payload = config
            .output_payload_to_header
            .as_deref()
            .map(|header| Output::compile(header, (), &format!("{path}.outputPayloadToHeader")))
            .transpose()?;
        let mut claims = Vec::new();
        for (index, output) in config.output_claim_to_headers.iter().flatten().enumerate() {
            let path = format!("{path}.outputClaimToHeaders[{index}]");
            if output.claim.is_empty() {
                return Err(ConfigError::new(format!("{path}.claim"), "is empty"));
            }
            claims.push(Output::compile(&output.header, output.claim.clone(), &format!("{path}.header"))?);
        }
        Ok(Self { payload, claims })
    }

    /// The names of its headers, which only the gateway may set.
    pub fn names(&self) -> impl Iterator<Item = &NamePattern> {
        let claims = self.claims.iter().map(|output| &output.pattern);
        self.payload.iter().map(|output| &output.pattern).chain(claims)
    }

    /// The headers for a verified token and its claims; a claim that the token does not have gives none.
    pub fn edits(&self, token: &[u8], claims: &ClaimSet) -> Result<Rc<[Edit]>, Unfit> {
        let mut edits = Vec::with_capacity(self.claims.len().saturating_add(self.payload.iter().len()));
        if let Some(output) = &self.payload
            && let Some(payload) = token.split(|byte| *byte == b'.').nth(1)
        {
            // The token's own base64url, which is how Envoy hands the payload on too.
            edits.push(Edit::Set(Rc::clone(&output.header), String::from_utf8_lossy(payload).into()));
        }
        for output in &self.claims {
            let Some(claim) = claims.at(&output.what) else { continue };
            let values = Rendering::of(Format::Csv).render(claim)?.into_iter();
            edits.extend(values.map(|value| Edit::Set(Rc::clone(&output.header), Rc::from(&*value))));
        }
        Ok(edits.into())
    }
}
