//! Events as the stores of others take them.

pub mod clickhouse;
pub mod elasticsearch;
pub(super) mod json;
pub mod loki;
pub mod otlp;

#[cfg(test)]
mod tests;
