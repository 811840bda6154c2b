#![allow(clippy::arithmetic_side_effects, reason = "an overflow ends the test")]

use std::sync::LazyLock;

use proptest::prelude::*;

use crate::testing::{audit, audit_with, event, gap, mac_key, other_public_key, public_key, stream};
use crate::{Chain, Finding, MARK, MacKey, Order, Severity, Summary};

fn problems(lines: &[impl AsRef<[u8]>]) -> Vec<String> {
    audit(lines)
}

/// Two streams of 7 records and an end each, mixed.
fn mixed() -> Vec<String> {
    let (a, b) = (stream("aaaaaaaaaaaaaaaa", 7), stream("bbbbbbbbbbbbbbbb", 7));
    a.into_iter().zip(b).flat_map(|(a, b)| [a, b]).collect()
}

#[test]
fn vouches_for_what_nobody_touched() {
    let lines = mixed();
    // Checkpoints stand in the records 4 and 7 and in the end, and sign all but that.
    let expected = Summary { records: 16, streams: 2, ended: 2, checkpoints: 6, signed: 14, dropped: 0 };
    for order in [Order::Written, Order::Any] {
        assert_eq!(audit_with(&[mac_key()], &[public_key()], order, &lines), (expected, vec![]));
        assert_eq!(audit_with(&[], &[public_key()], order, &lines), (expected, vec![]));
        let unsigned = Summary { checkpoints: 0, signed: 0, ..expected };
        assert_eq!(audit_with(&[mac_key()], &[], order, &lines), (unsigned, vec![]));
    }
    let mut turned = lines;
    turned.reverse();
    assert_eq!(audit_with(&[mac_key()], &[public_key()], Order::Any, &turned), (expected, vec![]));
}

#[test]
fn tells_each_manipulation_with_its_place() {
    const A: &str = "aaaaaaaaaaaaaaaa";
    type Edit = fn(&mut Vec<String>);
    let cases: &[(&str, Edit, &[&str])] = &[
        (
            "a value",
            |lines| lines[2] = lines[2].replace("order/3", "order/9"),
            &["log:3: stream aaaaaaaaaaaaaaaa, number 3: changed: its MAC is wrong"],
        ),
        (
            "a number",
            |lines| lines[2] = lines[2].replace("\"seq\":3", "\"seq\":5"),
            &[
                "log:3: stream aaaaaaaaaaaaaaaa, number 5: changed: its MAC is wrong",
                "log:4: stream aaaaaaaaaaaaaaaa, number 4: removed before it: number 3",
            ],
        ),
        (
            "the first record",
            |lines| lines[0] = lines[0].replace("order/1", "order/9"),
            &["log:1: stream aaaaaaaaaaaaaaaa, number 1: changed: its MAC is wrong"],
        ),
        (
            "a record is taken out",
            |lines| drop(lines.remove(4)),
            &["log:5: stream aaaaaaaaaaaaaaaa, number 6: removed before it: number 5"],
        ),
        (
            "two are taken out",
            |lines| drop(lines.drain(3..5)),
            &["log:4: stream aaaaaaaaaaaaaaaa, number 6: removed before it: numbers 4 to 5"],
        ),
        (
            "the first is taken out",
            |lines| drop(lines.remove(0)),
            &["log:1: stream aaaaaaaaaaaaaaaa, number 2: removed before it: the beginning of the stream, number 1"],
        ),
        (
            "the last are taken out",
            |lines| lines.truncate(6),
            &["log:6: stream aaaaaaaaaaaaaaaa, number 6: no end: what came after it, if anything, is not here"],
        ),
        (
            "two change places",
            |lines| lines.swap(1, 2),
            &["log:3: stream aaaaaaaaaaaaaaaa, number 2: reordered: it stands after a record with a higher number"],
        ),
        (
            "one stands twice",
            |lines| lines.insert(5, lines[1].clone()),
            &["log:6: stream aaaaaaaaaaaaaaaa, number 2: duplicated: there is a record with its number already"],
        ),
        ("one is added", |lines| lines.insert(5, event(A, 6)), &["log:6: foreign: it has no seal, and others have"]),
        (
            "some are added before all",
            |lines| drop(lines.splice(0..0, [event(A, 1), event(A, 2)])),
            &["log:1: foreign: 2 records from here on have no seal"],
        ),
        (
            "a seal is taken off",
            |lines| {
                let start = lines[3].find(r#","chain""#).unwrap();
                lines[3].truncate(start);
                lines[3].push('}');
            },
            &[
                "log:4: foreign: it has no seal, and others have",
                "log:5: stream aaaaaaaaaaaaaaaa, number 5: removed before it: number 4",
            ],
        ),
        (
            "one is cut",
            |lines| lines[3].truncate(150),
            &[
                "log:4: broken: a part of a record, or one with a malformed seal",
                "log:5: stream aaaaaaaaaaaaaaaa, number 5: removed before it: number 4",
            ],
        ),
    ];
    for (case, edit, expected) in cases {
        let mut lines = stream(A, 7);
        edit(&mut lines);
        assert_eq!(problems(&lines), *expected, "{case}");
    }
}

#[test]
fn who_has_no_key_of_the_macs_finds_it_at_the_next_checkpoint() {
    let found = |lines: &[String]| -> Vec<String> {
        audit_with(&[], &[public_key()], Order::Written, lines).1.iter().map(ToString::to_string).collect()
    };
    let mut lines = stream("a", 7);
    lines[1] = lines[1].replace("order/2", "order/9");
    assert_eq!(found(&lines), ["log:4: stream a, number 4: changed: a record from number 1 on is not what was signed here"]);

    // The checkpoint that would tell is taken off.
    let start = lines[3].find(r#","checkpoint""#).unwrap();
    let end = lines[3].find(r#","mac""#).unwrap();
    lines[3].replace_range(start..end, "");
    assert_eq!(found(&lines), ["log:7: stream a, number 7: changed: a record from number 1 on is not what was signed here"]);

    let checkpoint = |line: &str| line.split(r#""checkpoint":""#).nth(1).unwrap().split('"').next().unwrap().to_owned();
    let mut lines = stream("a", 7);
    lines[6] = lines[6].replace(&checkpoint(&lines[6]), &checkpoint(&lines[3]));
    let wrong = "log:7: stream a, number 7: the signature of its checkpoint is wrong";
    let since = "log:8: stream a, number 8: changed: a record from number 7 on is not what was signed here";
    assert_eq!(found(&lines), [wrong, since]);

    // An end that nobody signed is none.
    let mut lines = stream("a", 7);
    lines.truncate(6);
    lines.push(Chain::new(MacKey::new(b"another").unwrap(), "a", None).close(
        r#"{"schema":"portcullis.audit.end/1"}"#.into(),
        7,
        1,
    ));
    let found = found(&lines);
    assert!(found.last().unwrap().ends_with("number 7: no end: what came after it, if anything, is not here"), "{found:?}");
}

#[test]
fn a_checkpoint_of_another_key_is_wrong() {
    let lines = stream("a", 3);
    let (summary, found) = audit_with(&[mac_key()], &[other_public_key()], Order::Written, &lines);
    assert_eq!((summary.records, summary.checkpoints, summary.signed), (4, 0, 0));
    assert_eq!(found.iter().map(|finding| finding.problem.code()).collect::<Vec<_>>(), ["checkpoint_wrong"]);
    let keys = [other_public_key(), public_key()];
    assert_eq!(audit_with(&[], &keys, Order::Written, &lines).1, []);
}

#[test]
fn a_gap_record_accounts_for_what_was_dropped_and_for_no_more() {
    let without = |from: usize, to: usize, gaps: &[String]| {
        let mut lines = stream("a", 7);
        lines.splice(from - 1..to, gaps.iter().cloned());
        lines
    };
    let dropped = |range: &str| format!("log:4: stream a, number 6: dropped by overflow: {range}");
    for (case, lines, expected) in [
        ("all of them", without(3, 5, &[gap("a", 3, 3, 5)]), vec![dropped("3 (numbers 3 to 5)")]),
        (
            "sent twice",
            without(3, 5, &[gap("a", 3, 3, 5), gap("a", 3, 3, 5)]),
            vec![dropped("3 (numbers 3 to 5)").replace("log:4", "log:5")],
        ),
        (
            "some of them",
            without(3, 5, &[gap("a", 2, 3, 4)]),
            vec![dropped("2 (numbers 3 to 4)"), "log:4: stream a, number 6: removed before it: number 5".to_owned()],
        ),
        (
            "fewer than it spans",
            without(3, 5, &[gap("a", 2, 3, 5)]),
            vec!["log:4: stream a, number 6: removed before it: numbers 3 to 5".to_owned()],
        ),
        (
            "of another stream",
            without(3, 5, &[gap("b", 3, 3, 5)]),
            vec![
                "log:4: stream a, number 6: removed before it: numbers 3 to 5".to_owned(),
                "log:3: stream b: removed before it: the beginning of the stream, numbers 1 to 2".to_owned(),
                "log:3: stream b: dropped by overflow: 3 (numbers 3 to 5)".to_owned(),
                "log:3: stream b: no end: what came after it, if anything, is not here".to_owned(),
            ],
        ),
        (
            "made up",
            without(3, 5, &[gap("a", 3, 3, 5).replace("\"last\":\"a-5\"", "\"last\":\"a-6\"")]),
            vec![
                "log:3: stream a: changed: its MAC is wrong".to_owned(),
                "log:4: stream a, number 6: removed before it: numbers 3 to 5".to_owned(),
            ],
        ),
        (
            "the end too",
            without(6, 8, &[gap("a", 3, 6, 8)]),
            vec![
                "log:6: stream a: dropped by overflow: 3 (numbers 6 to 8)".to_owned(),
                "log:5: stream a, number 5: no end: what came after it, if anything, is not here".to_owned(),
            ],
        ),
    ] {
        assert_eq!(problems(&lines), expected, "{case}");
    }
    let (summary, _) = audit_with(&[mac_key()], &[], Order::Written, &without(3, 5, &[gap("a", 3, 3, 5)]));
    assert_eq!((summary.records, summary.dropped), (5, 3));
    let (_, found) = audit_with(&[], &[public_key()], Order::Written, &without(3, 5, &[gap("a", 3, 3, 5)]));
    assert!(found[0].to_string().ends_with(", says a gap record that only the key of the MACs can prove"), "{found:?}");
}

/// A store that is posted to may have a batch twice; in a log that nobody sorted it is a finding.
#[test]
fn the_same_record_twice_is_a_warning_where_any_order_is() {
    let mut lines = stream("a", 3);
    lines.insert(3, lines[0].clone());
    let severities = |order, lines: &[String]| -> Vec<_> {
        audit_with(&[mac_key()], &[], order, lines)
            .1
            .iter()
            .map(|found| (found.problem.code(), found.problem.severity()))
            .collect()
    };
    assert_eq!(severities(Order::Any, &lines), [("duplicated", Severity::Warning)]);
    assert_eq!(severities(Order::Written, &lines), [("duplicated", Severity::Finding)]);
    // Another record with the same number is none of them.
    lines[3] = Chain::new(mac_key(), "a", None).seal(event("a", 9), 1, 0);
    assert_eq!(severities(Order::Any, &lines), [("duplicated", Severity::Finding)]);
}

/// What is recorded after the end is not proven to be complete.
#[test]
fn an_end_is_the_last_record() {
    let mut chain = Chain::new(mac_key(), "a", None);
    let mut lines = vec![chain.seal(event("a", 1), 1, 0), chain.close(r#"{"schema":"portcullis.audit.end/1"}"#.to_owned(), 2, 0)];
    assert_eq!(problems(&lines), Vec::<String>::new());
    lines.push(chain.seal(event("a", 3), 3, 0));
    assert_eq!(problems(&lines), ["log:3: stream a, number 3: no end: what came after it, if anything, is not here"]);
}

#[test]
fn a_gap_record_says_why() {
    for (reason, expected) in [
        (r#","reason":"attempts""#, "dropped after the last attempt to send them: 1 (number 1)"),
        (r#","reason":"rejected""#, "rejected by the server: 1 (number 1)"),
        (r#","reason":"blocked""#, "not sent, their requests were refused for want of room: 1 (number 1)"),
        (r#","reason":"else""#, "dropped: 1 (number 1)"),
        ("", "dropped: 1 (number 1)"),
    ] {
        let record = format!(r#"{{"schema":"portcullis.audit.gap/1","dropped":1{reason},"first":"a-1","last":"a-1"}}"#);
        let line = Chain::new(mac_key(), "a", None).gap_seal().seal(record);
        assert_eq!(audit_with(&[mac_key()], &[], Order::Written, &[line]).1[0].problem.to_string(), expected);
    }
}

#[test]
fn streams_may_have_different_keys() {
    let mut lines = stream("a", 3);
    let mut chain = Chain::new(MacKey::new(b"the key after that one").unwrap(), "b", None);
    lines.insert(1, chain.seal(event("b", 1), 1, 1));
    let keys = [MacKey::new(b"the key after that one").unwrap(), mac_key()];
    let (summary, found) = audit_with(&keys, &[], Order::Written, &lines);
    assert_eq!((summary.records, found.len()), (5, 1), "{found:?}");
}

/// Two streams of ten records each. Signing takes its time, so they are made once.
fn interleaved(order: &[bool]) -> Vec<String> {
    static STREAMS: LazyLock<[Vec<String>; 2]> = LazyLock::new(|| ["aaaa", "bbbb"].map(|name| stream(name, 9)));
    let [mut a, mut b] = STREAMS.each_ref().map(|lines| lines.iter().cloned());
    let mut lines: Vec<String> = order.iter().filter_map(|first| if *first { a.next() } else { b.next() }).collect();
    lines.extend(a);
    lines.extend(b);
    lines
}

/// What is found with the key of the MACs.
fn found(order: Order, lines: &[impl AsRef<[u8]>]) -> Vec<Finding> {
    audit_with(&[mac_key()], &[], order, lines).1
}

proptest! {
    #[test]
    fn nothing_is_found_in_an_untouched_log(order in prop::collection::vec(any::<bool>(), 0..20)) {
        let lines = interleaved(&order);
        prop_assert_eq!(found(Order::Written, &lines), vec![]);
        prop_assert_eq!(found(Order::Any, &lines), vec![]);
    }

    #[test]
    fn any_change_of_a_byte_is_found(line in 0usize..20, at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut lines: Vec<Vec<u8>> = interleaved(&[true, false, false, true]).into_iter().map(String::into_bytes).collect();
        let at = at.index(lines[line].len());
        prop_assume!(lines[line][at] != byte);
        lines[line][at] = byte;
        prop_assert!(!found(Order::Written, &lines).is_empty());
        prop_assert!(!found(Order::Any, &lines).is_empty());
    }

    #[test]
    fn any_line_that_is_gone_is_missed(line in 0usize..20, order in prop::collection::vec(any::<bool>(), 0..20)) {
        let mut lines = interleaved(&order);
        lines.remove(line);
        prop_assert!(!found(Order::Written, &lines).is_empty());
        prop_assert!(!found(Order::Any, &lines).is_empty());
    }

    #[test]
    fn any_line_that_is_there_twice_or_is_new_is_found(line in 0usize..20, to in 0usize..=20, own in any::<bool>()) {
        let mut lines = interleaved(&[false; 3]);
        let added = if own { lines[line].clone() } else { event("aaaa", line as u64) };
        lines.insert(to, added);
        prop_assert!(!found(Order::Written, &lines).is_empty());
        prop_assert!(!found(Order::Any, &lines).is_empty());
    }

    #[test]
    fn any_two_of_a_stream_that_change_places_are_found(one in 0usize..10, other in 0usize..10) {
        prop_assume!(one != other);
        let mut lines = interleaved(&[]);
        lines.swap(one, other);
        prop_assert!(!found(Order::Written, &lines).is_empty());
        prop_assert_eq!(found(Order::Any, &lines), vec![]);
    }

    #[test]
    fn a_line_that_is_broken_in_two_is_found(line in 0usize..20, at in any::<prop::sample::Index>()) {
        let mut lines = interleaved(&[]);
        let at = at.index(lines[line].len() - 1) + 1;
        let rest = lines[line].split_off(at);
        lines.insert(line + 1, rest);
        prop_assert!(!found(Order::Written, &lines).is_empty());
    }

    #[test]
    fn no_line_makes_it_fail(line in prop::collection::vec(any::<u8>(), 0..300), text in "[\\PC]{0,80}") {
        found(Order::Written, &[line]);
        for line in [format!("{MARK}{text}"), format!(r#"{MARK}/1","chain":{{"stream":"{text}","seq":1,"mac":"#)] {
            found(Order::Any, &[line]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// Nothing follows the MAC of the last record that would tell without its key.
    #[test]
    fn any_change_before_the_end_is_found_by_the_public_key(line in 0usize..9, at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut lines: Vec<Vec<u8>> = interleaved(&[true; 10]).into_iter().take(10).map(String::into_bytes).collect();
        let at = at.index(lines[line].len());
        prop_assume!(lines[line][at] != byte);
        lines[line][at] = byte;
        prop_assert!(!audit_with(&[], &[public_key()], Order::Written, &lines).1.is_empty());
    }
}
