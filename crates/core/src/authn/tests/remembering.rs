//! What a token that was verified before brings, and when it is verified again.

use super::*;
use crate::auth_header;
use crate::token_cache::{Limits, VerifiedTokens};

#[test]
fn a_verified_token_is_remembered_until_it_ends() {
    let mut stage = authn(&config());
    let token = bearer(&valid());
    for (at, reason) in [(NOW, "token_valid"), (NOW, "token_valid"), (UnixTime::from_secs(1_700_000_161), "token_expired")] {
        let mut exchange = exchange("/", &[("authorization", &token)]);
        stage.on_request(&mut exchange, at, &mut Alone);
        assert_eq!(exchange.decision.unwrap().reason, reason);
        assert_eq!(stage.callers.verified.len(), usize::from(reason == "token_valid"));
    }
}

#[test]
fn a_remembered_token_says_what_a_new_one_said() {
    let inject = json!({"inject": [{"header": "x-roles", "claim": "roles"}, {"header": "x-long", "claim": "long"}]});
    let inject = auth_header::Policy::compile(&serde_json::from_value(inject).unwrap(), &|_: &str| Variable::Unset).unwrap().0;
    let mut stage = authn(&with(
        config(),
        "jwtRules",
        json!([{
            "name": "uaa", "issuer": "https://uaa", "secret": {"env": "S"},
            "outputClaimToHeaders": [{"header": "x-sub", "claim": "sub"}],
        }]),
    ));
    stage = stage.before(Some(Rc::new(inject)));
    let long = with(valid(), "long", json!("a".repeat(10_000)));
    for (case, claims, is_short) in [("short", valid(), true), ("too long to inject", long, false)] {
        let token = bearer(&claims);
        let [first, second] = [(); 2].map(|()| {
            // What a client sends is judged anew each time, remembered or not.
            let headers = [("authorization", &*token), ("x-sub", "mallory"), ("x_sub", "mallory")];
            let mut exchange = exchange("/", &headers);
            assert_eq!(stage.on_request(&mut exchange, NOW, &mut Alone), Verdict::Continue, "{case}");
            exchange
        });
        assert_eq!(first.edits, second.edits, "{case}");
        assert_eq!(first.decision, second.decision, "{case}");
        let (first, second) = (first.identity.unwrap(), second.identity.unwrap());
        assert!(Rc::ptr_eq(&first, &second), "{case}: nothing is made anew");
        let roles = Edit::Set("x-roles".into(), "USER".into());
        let expected = if is_short { Ok(vec![roles]) } else { Err(Rejection::ClaimTooLarge) };
        assert_eq!(first.injected.clone().unwrap().map(|edits| edits.to_vec()), expected, "{case}");
    }
}

#[test]
fn a_remembered_token_is_refused_where_its_issuer_takes_none() {
    let mut stage = authn(&json!({"jwtRules": [
        {"name": "header", "issuer": "https://uaa", "secret": {"env": "S"}},
        {"name": "param", "issuer": "https://else", "secret": {"env": "S"}, "fromParams": ["t"]},
    ]}));
    let token = signed(&valid());
    for _ in 0..2 {
        let mut right = exchange("/", &[("authorization", &format!("Bearer {token}"))]);
        assert_eq!(stage.on_request(&mut right, NOW, &mut Alone), Verdict::Continue);
        let mut wrong = exchange(&format!("/?t={token}"), &[]);
        stage.on_request(&mut wrong, NOW, &mut Alone);
        assert_eq!(wrong.decision.unwrap().reason, "issuer_unknown");
        assert_eq!(stage.callers.verified.len(), 1);
    }
}

/// What is known of a caller takes more memory than a short token.
#[test]
fn what_is_remembered_of_a_caller_counts_in_what_may_be_kept() {
    let token = signed(&valid());
    for (bytes, kept) in [(token.len() + 300, 0), (token.len() + 10_000, 1)] {
        let mut stage = authn(&config());
        stage.callers.verified = VerifiedTokens::new(Limits { entries: 10, bytes });
        let mut exchange = exchange("/", &[("authorization", &format!("Bearer {token}"))]);
        assert_eq!(stage.on_request(&mut exchange, NOW, &mut Alone), Verdict::Continue);
        assert_eq!(stage.callers.verified.len(), kept, "in {bytes} bytes");
    }
}
