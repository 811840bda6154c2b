//! Each target for a few seconds: its seeds, and the same mutations of them in each run.

use portcullis_fuzz::{Mutations, TARGETS, seeds};

/// How many mutations of a target's seeds are tried.
const MUTATIONS: usize = 4_000;
/// Tokens are verified, twice each, which takes a while without optimisation.
const TOKENS: usize = 100;
/// Private keys take longer still.
const ENCRYPTED_TOKENS: usize = 2_000;
/// Each is signed, and some are verified.
const PROOFS: usize = 400;

fn smoke(name: &str, mutations: usize) {
    let (_, target) = TARGETS.iter().find(|(target, _)| *target == name).unwrap();
    let seeds = seeds(name).unwrap_or_else(|error| panic!("{error:?}"));
    assert!(!seeds.is_empty(), "{name} has no seeds");
    seeds.iter().for_each(|seed| target(seed));
    Mutations::new(seeds).take(mutations).for_each(|input| target(&input));
}

#[test]
fn what_is_accepted_was_signed() {
    smoke("token", TOKENS);
}

#[test]
fn what_is_in_an_encrypted_token_was_signed() {
    smoke("jwe", ENCRYPTED_TOKENS);
}

#[test]
fn no_key_set_vouches_for_a_stranger() {
    smoke("jwks", MUTATIONS);
}

#[test]
fn a_credential_that_is_removed_is_gone() {
    smoke("header_value", MUTATIONS);
}

#[test]
fn an_ambiguous_path_is_never_public() {
    smoke("path", MUTATIONS);
}

#[test]
fn a_proof_is_of_the_right_key_and_for_the_right_request() {
    smoke("proof", PROOFS);
}

#[test]
fn what_goes_on_is_one_trace() {
    smoke("trace", MUTATIONS);
}

#[test]
fn no_message_about_a_configuration_holds_a_secret() {
    smoke("configuration", MUTATIONS);
}
