//! Why a request is refused. One flat list: the status, the stable code and the sentence of a refusal stand together here.
//!
//! No sentence holds anything that the client sent.

/// The reason for a refusal.
///
/// Its [`code`](Self::code) is stable and stands in the answer, the audit event, the metrics and the response code details.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rejection {
    /// No credential was sent where one is required.
    TokenMissing,
    /// The Authorization header is not what RFC 6750 section 2.1 allows.
    AuthorizationMalformed,
    /// More than one credential was sent (RFC 6750 section 2: one method per request).
    CredentialsMultiple,
    /// The token is longer than the limit.
    TokenTooLarge,
    /// The token is not a JWS in compact form with JSON header and claims (RFC 7515, RFC 7519).
    TokenMalformed,
    /// The token is encrypted, and no key that is known here decrypts it.
    TokenUndecryptable,
    /// The token is not encrypted, and its issuer's must be.
    TokenNotEncrypted,
    /// `exp` has passed.
    TokenExpired,
    /// `nbf` has not come, or `iat` lies in the future.
    TokenNotYetValid,
    /// The token has no `exp`, and one is required.
    ExpirationMissing,
    /// The token is valid for longer than `maxLifetime`, or does not say since when.
    LifetimeTooLong,
    /// The token's `typ` is not what `requireType` asks for.
    TypeMismatch,
    /// No `jwtRules` entry is for the token's issuer, or none for where the token was found.
    IssuerUnknown,
    /// The token is valid, but its issuer is not one that the rule accepts.
    IssuerNotAllowed,
    /// The token's `aud` holds none of the audiences asked for.
    AudienceMismatch,
    /// The token's `alg` is not allowed for the issuer, or not for the key.
    AlgorithmNotAllowed,
    /// None of the issuer's keys has the token's `kid`, or several could be meant.
    KeyUnknown,
    /// The signature does not verify.
    SignatureInvalid,
    /// The API key is none that is known here.
    ApiKeyUnknown,
    /// The token is bound to a key or a certificate, and the request does not come from whoever holds that; or to something that is not known
    /// here.
    TokenBindingMismatch,
    /// The token is not bound to a key or a certificate, and has to be.
    TokenNotBound,
    /// The token is bound to a key, and there is no proof that the sender holds it (RFC 9449).
    DpopProofMissing,
    /// The proof is malformed, or for another request, token, key or time.
    DpopProofInvalid,
    /// The proof was used before.
    DpopProofReplayed,
    /// The proof does not hold a nonce that this gateway gave out a short while ago.
    DpopNonceRequired,
    /// Whether the proof was used before cannot be told: what is remembered is full, or the proxy's shared data cannot be used.
    DpopReplayUnknown,
    /// The token does not have a claim that is asked for.
    ClaimMissing,
    /// A claim of the token is not what is asked for.
    ClaimMismatch,
    /// The principal has none of the roles asked for.
    RoleMissing,
    /// The principal lacks one of the scopes asked for.
    ScopeMissing,
    /// The rule denies everyone.
    AccessDenied,
    /// The proxy's route names a rule that does not exist.
    RuleUnknown,
    /// A claim is too long to be passed on as a header.
    ClaimTooLarge,
    /// An encrypted identifier in the token cannot be decrypted, and the upstream needs it.
    IdentifierUndecryptable,
    /// The request has no method, path or host that can be read.
    RequestMalformed,
    /// The issuer's keys could not be fetched.
    KeysUnavailable,
    /// The gateway's own credential for the upstream could not be fetched.
    UpstreamCredentialUnavailable,
    /// What is done could not be recorded: the audit log's buffer is full.
    AuditUnavailable,
    /// The plugin has no policy.
    PolicyMissing,
    /// The proxy did not answer as its interface says.
    HostError,
}

impl Rejection {
    /// Every reason, in the order of the documentation.
    pub const ALL: [Self; 40] = [
        Self::TokenMissing,
        Self::AuthorizationMalformed,
        Self::CredentialsMultiple,
        Self::TokenTooLarge,
        Self::TokenMalformed,
        Self::TokenUndecryptable,
        Self::TokenNotEncrypted,
        Self::TokenExpired,
        Self::TokenNotYetValid,
        Self::ExpirationMissing,
        Self::LifetimeTooLong,
        Self::TypeMismatch,
        Self::IssuerUnknown,
        Self::IssuerNotAllowed,
        Self::AudienceMismatch,
        Self::AlgorithmNotAllowed,
        Self::KeyUnknown,
        Self::SignatureInvalid,
        Self::ApiKeyUnknown,
        Self::TokenBindingMismatch,
        Self::TokenNotBound,
        Self::DpopProofMissing,
        Self::DpopProofInvalid,
        Self::DpopProofReplayed,
        Self::DpopNonceRequired,
        Self::DpopReplayUnknown,
        Self::ClaimMissing,
        Self::ClaimMismatch,
        Self::RoleMissing,
        Self::ScopeMissing,
        Self::AccessDenied,
        Self::RuleUnknown,
        Self::ClaimTooLarge,
        Self::IdentifierUndecryptable,
        Self::RequestMalformed,
        Self::KeysUnavailable,
        Self::UpstreamCredentialUnavailable,
        Self::AuditUnavailable,
        Self::PolicyMissing,
        Self::HostError,
    ];

    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TokenMissing => "token_missing",
            Self::AuthorizationMalformed => "authorization_malformed",
            Self::CredentialsMultiple => "credentials_multiple",
            Self::TokenTooLarge => "token_too_large",
            Self::TokenMalformed => "token_malformed",
            Self::TokenUndecryptable => "token_undecryptable",
            Self::TokenNotEncrypted => "token_not_encrypted",
            Self::TokenExpired => "token_expired",
            Self::TokenNotYetValid => "token_not_yet_valid",
            Self::ExpirationMissing => "expiration_missing",
            Self::LifetimeTooLong => "lifetime_too_long",
            Self::TypeMismatch => "type_mismatch",
            Self::IssuerUnknown => "issuer_unknown",
            Self::IssuerNotAllowed => "issuer_not_allowed",
            Self::AudienceMismatch => "audience_mismatch",
            Self::AlgorithmNotAllowed => "algorithm_not_allowed",
            Self::KeyUnknown => "key_unknown",
            Self::SignatureInvalid => "signature_invalid",
            Self::ApiKeyUnknown => "api_key_unknown",
            Self::TokenBindingMismatch => "token_binding_mismatch",
            Self::TokenNotBound => "token_not_bound",
            Self::DpopProofMissing => "dpop_proof_missing",
            Self::DpopProofInvalid => "dpop_proof_invalid",
            Self::DpopProofReplayed => "dpop_proof_replayed",
            Self::DpopNonceRequired => "dpop_nonce_required",
            Self::DpopReplayUnknown => "dpop_replay_unknown",
            Self::ClaimMissing => "claim_missing",
            Self::ClaimMismatch => "claim_mismatch",
            Self::RoleMissing => "role_missing",
            Self::ScopeMissing => "scope_missing",
            Self::AccessDenied => "access_denied",
            Self::RuleUnknown => "rule_unknown",
            Self::ClaimTooLarge => "claim_too_large",
            Self::IdentifierUndecryptable => "identifier_undecryptable",
            Self::RequestMalformed => "request_malformed",
            Self::KeysUnavailable => "keys_unavailable",
            Self::UpstreamCredentialUnavailable => "upstream_credential_unavailable",
            Self::AuditUnavailable => "audit_unavailable",
            Self::PolicyMissing => "policy_missing",
            Self::HostError => "host_error",
        }
    }

    /// The HTTP status of the answer.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::AuthorizationMalformed | Self::CredentialsMultiple | Self::TokenTooLarge | Self::RequestMalformed => 400,
            Self::TokenMissing
            | Self::TokenMalformed
            | Self::TokenUndecryptable
            | Self::TokenNotEncrypted
            | Self::TokenExpired
            | Self::TokenNotYetValid
            | Self::ExpirationMissing
            | Self::LifetimeTooLong
            | Self::TypeMismatch
            | Self::IssuerUnknown
            | Self::IssuerNotAllowed
            | Self::AudienceMismatch
            | Self::AlgorithmNotAllowed
            | Self::KeyUnknown
            | Self::ApiKeyUnknown
            | Self::SignatureInvalid
            | Self::TokenBindingMismatch
            | Self::TokenNotBound
            | Self::DpopProofMissing
            | Self::DpopProofInvalid
            | Self::DpopProofReplayed
            | Self::DpopNonceRequired => 401,
            Self::ClaimMissing
            | Self::ClaimMismatch
            | Self::RoleMissing
            | Self::ScopeMissing
            | Self::AccessDenied
            | Self::RuleUnknown
            | Self::ClaimTooLarge
            | Self::IdentifierUndecryptable => 403,
            Self::HostError | Self::PolicyMissing => 500,
            Self::KeysUnavailable | Self::DpopReplayUnknown | Self::UpstreamCredentialUnavailable | Self::AuditUnavailable => 503,
        }
    }

    /// One sentence for the person who reads the answer.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::TokenMissing => "The request has no access token.",
            Self::AuthorizationMalformed => "The Authorization header is malformed.",
            Self::CredentialsMultiple => "The request has more than one credential.",
            Self::TokenTooLarge => "The access token is too long.",
            Self::TokenMalformed => "The access token is malformed.",
            Self::TokenUndecryptable => "The access token cannot be decrypted.",
            Self::TokenNotEncrypted => "The access token is not encrypted.",
            Self::TokenExpired => "The access token expired.",
            Self::TokenNotYetValid => "The access token is not valid yet.",
            Self::ExpirationMissing => "The access token has no expiration time.",
            Self::LifetimeTooLong => "The access token is valid for too long.",
            Self::TypeMismatch => "The token is not of the type that is asked for.",
            Self::IssuerUnknown => "The issuer of the access token is not known here.",
            Self::IssuerNotAllowed => "The issuer of the access token is not accepted for this resource.",
            Self::AudienceMismatch => "The access token is meant for another audience.",
            Self::AlgorithmNotAllowed => "The algorithm of the access token is not allowed.",
            Self::KeyUnknown => "The access token was signed with a key that is not known here.",
            Self::ApiKeyUnknown => "The API key is not known here.",
            Self::SignatureInvalid => "The signature of the access token is invalid.",
            Self::TokenBindingMismatch => "The access token is bound to another sender than that of the request.",
            Self::TokenNotBound => "The access token is not bound to its sender, which this resource needs.",
            Self::DpopProofMissing => "The request has no DPoP proof.",
            Self::DpopProofInvalid => "The DPoP proof is invalid.",
            Self::DpopProofReplayed => "The DPoP proof was used before.",
            Self::DpopNonceRequired => "The DPoP proof needs the nonce that comes with this answer.",
            Self::DpopReplayUnknown => "The gateway cannot tell at the moment whether the DPoP proof was used before.",
            Self::ClaimMissing => "The access token does not have a claim that this resource needs.",
            Self::ClaimMismatch => "A claim of the access token is not what this resource needs.",
            Self::RoleMissing => "The access token does not have a role that this resource needs.",
            Self::ScopeMissing => "The access token does not have the scope that this resource needs.",
            Self::AccessDenied => "Access to this resource is denied.",
            Self::RuleUnknown => "The gateway has no rule of the name that is meant for this resource.",
            Self::ClaimTooLarge => "A claim of the access token is too long to be passed on.",
            Self::IdentifierUndecryptable => "An identifier in the access token cannot be decrypted.",
            Self::RequestMalformed => "The request is malformed.",
            Self::KeysUnavailable => "The keys of the token's issuer cannot be had at the moment.",
            Self::UpstreamCredentialUnavailable => "The gateway's credential for the upstream cannot be had at the moment.",
            Self::AuditUnavailable => "What is done cannot be recorded at the moment.",
            Self::PolicyMissing => "The gateway has no policy for this request.",
            Self::HostError => "The gateway could not process the request.",
        }
    }
}
