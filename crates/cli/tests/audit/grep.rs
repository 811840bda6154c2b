//! `portcullis audit grep`.

use crate::run::{event, run, stream};

#[test]
fn prints_the_events_that_have_all_that_is_asked_for() {
    let mut lines = stream("aaaa");
    lines[1] = event("aaaa", 2)
        .replace("alice", "bob")
        .replace("allowed", "denied")
        .replace("\"rule\":\"approve\"", "\"rule\":\"default\"");
    let log = format!("prefix {}\n{}\nnothing\n{}\n{}\n", lines[0], lines[1], lines[2], lines[3]);
    for (arguments, expected) in [
        (&[][..], &[0, 1, 2][..]),
        (&["--subject", "alice"], &[0, 2]),
        (&["--subject", "ali"], &[]),
        (&["--outcome", "denied"], &[1]),
        (&["--rule", "default"], &[1]),
        (&["--action", "order.approve", "--object", "order/3"], &[2]),
        (&["--action", "order.cancel"], &[]),
        (&["--since", "2026-11-25T20:02:00Z"], &[1, 2]),
        (&["--until", "2026-11-25T21:02:00+01:00"], &[0]),
        (&["--subject", "alice", "--since", "2026-11-25T20:02:00Z", "--until", "2026-11-25T20:04:00Z"], &[2]),
    ] {
        let run = run(&[("log", log.as_bytes())], b"", &[&["grep", "log"], arguments].concat());
        let text: String = expected.iter().map(|index: &usize| format!("{}\n", lines[*index])).collect();
        assert_eq!((run.stdout, run.code), (text, i32::from(expected.is_empty())), "{arguments:?}");
    }
}

#[test]
fn pseudonyms_are_found_by_whoever_has_their_key() {
    // printf %s alice | openssl dgst -sha256 -hmac "$KEY" -binary | head -c 16 | basenc --base64url
    let log = event("aaaa", 1).replace("alice", "hmac:ok0-EQeqa0nXPsauscMHFg") + "\n" + &event("aaaa", 2);
    for (arguments, count) in [
        (&["--subject", "alice"][..], 1),
        (&["--subject", "alice", "--hash-key-env", "KEY"], 2),
        (&["--subject", "bob", "--hash-key-env", "KEY"], 0),
        (&["--hash-key-env", "KEY"], 2),
    ] {
        let run = run(&[("log", log.as_bytes())], b"", &[&["grep", "log"], arguments].concat());
        assert_eq!(run.stdout.lines().count(), count, "{arguments:?}");
    }
    assert_eq!(run(&[("log", b"")], b"", &["grep", "--subject", "a", "--hash-key-env", "ABSENT", "log"]).code, 2);
}

#[test]
fn a_length_is_so_long_ago() {
    let log = event("aaaa", 1).replace("2026-11-25T20:01:00.000Z", "2001-01-01T00:00:00.000Z");
    for (since, code) in [("2h", 1), ("-2h", 1), ("999999h", 0)] {
        let run = run(&[], log.as_bytes(), &["grep", &format!("--since={since}"), "-"]);
        assert_eq!(run.code, code, "{since}: {run:?}");
    }
    assert_eq!(run(&[], b"", &["grep", "--since", "yesterday", "-"]).code, 2);
}
