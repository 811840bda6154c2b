//! JSON Schemas of the types that read themselves from text.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::business::StatusSet;
use crate::byte_size::ByteSize;
use crate::decrypt::ClaimPlace;
use crate::deny::DenyBody;
use crate::duration::DurationText;
use crate::fraction::Fraction;
use crate::jwt_rule::Jwks;
use crate::probability::Probability;
use crate::realm::Realm;
use crate::require::Operand;

impl JsonSchema for DurationText {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A duration as Go and Istio write it: `30s`, `1.5s`, `300ms`, `1h30m`.",
            "type": "string",
            "pattern": r"^\+?([0-9]+\.?[0-9]*|\.[0-9]+)(h|m|s|ms|us|µs|ns)(([0-9]+\.?[0-9]*|\.[0-9]+)(h|m|s|ms|us|µs|ns))*$",
        })
    }
}

impl JsonSchema for ByteSize {
    fn schema_name() -> Cow<'static, str> {
        "ByteSize".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A size in bytes: `512KiB`, `1MiB`.",
            "type": "string",
            "pattern": "^[0-9]+(B|KiB|MiB|GiB)$",
        })
    }
}

impl JsonSchema for Fraction {
    fn schema_name() -> Cow<'static, str> {
        "Fraction".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A part of a whole: a number above 0, and 1 at most.",
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": 1,
        })
    }
}

impl JsonSchema for Probability {
    fn schema_name() -> Cow<'static, str> {
        "Probability".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "How likely something is: a number from 0, never, to 1, always.",
            "type": "number",
            "minimum": 0,
            "maximum": 1,
        })
    }
}

impl JsonSchema for StatusSet {
    fn schema_name() -> Cow<'static, str> {
        "StatusSet".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let status = json_schema!({"type": "integer", "minimum": 100, "maximum": 599});
        let class = json_schema!({"type": "string", "pattern": "^[1-5]xx$"});
        json_schema!({
            "description": "Statuses of answers: `201`, `2xx`, or a list of them.",
            "type": ["integer", "string", "array"],
            "oneOf": [status, class, {"type": "array", "minItems": 1, "items": {"oneOf": [status, class]}}],
        })
    }
}

impl JsonSchema for Jwks {
    fn schema_name() -> Cow<'static, str> {
        "Jwks".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A JSON Web Key Set (RFC 7517), as JSON text or as the object itself.",
            "type": ["string", "object"],
        })
    }
}

impl JsonSchema for ClaimPlace {
    fn schema_name() -> Cow<'static, str> {
        "ClaimPlace".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "`prefix`, at the beginning of the claim itself, or `{claim: NAME}`, in another one.",
            "oneOf": [
                {"const": "prefix"},
                {
                    "type": "object",
                    "properties": {"claim": {"type": "string", "description": "The path of the claim, names joined by dots."}},
                    "required": ["claim"],
                    "additionalProperties": false,
                },
            ],
        })
    }
}

impl JsonSchema for Realm {
    fn schema_name() -> Cow<'static, str> {
        "Realm".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Visible ASCII and spaces, without `\"` and `\\`.",
            "type": "string",
            "pattern": r#"^[ !#-\[\]-~]+$"#,
        })
    }
}

impl JsonSchema for Operand {
    fn schema_name() -> Cow<'static, str> {
        "Operand".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A text, a number, or true or false. A text may hold values of the request: `{path.tenant}`, \
                            `{header.x-tenant}`, `{host}`, `{method}`.",
            "type": ["string", "number", "boolean"],
        })
    }
}

impl JsonSchema for DenyBody {
    fn schema_name() -> Cow<'static, str> {
        "DenyBody".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A text, or an object that becomes JSON.",
            "type": ["string", "object"],
        })
    }
}
