//! Audit events in real stores: every event under load is there once, field by field as it was written.

mod auditor;
mod collector;
mod postgres;
mod servers;
