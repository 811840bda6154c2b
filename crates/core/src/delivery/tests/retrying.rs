//! Batches that may be sent again.

use super::*;

#[test]
fn what_is_not_taken_is_sent_again_under_the_same_id() {
    for outcome in [
        FetchOutcome::Lost,
        FetchOutcome::NotSent,
        FetchOutcome::Answered { status: 503, max_age: None, retry_after: None, body: Vec::new() },
    ] {
        let mut world = World::new(LIMITS);
        world.push(3);
        let first = world.one();
        world.delivery.on_fetched(first.id, outcome, world.now);
        world.pass(500);
        let second = world.one();
        assert_eq!((&first.batch, &first.text), (&second.batch, &second.text));
        assert_ne!(first.id, second.id);
        world.answer(&second, 200);
        assert_eq!(world.counted(Outcome::Sent), 3);
        assert!(world.delivery.is_idle());
        assert_eq!(world.messages().len(), 2, "once that there is trouble, once that it is over");
    }
}

#[test]
fn an_answer_that_never_came_is_not_waited_for_and_not_heard_later() {
    let mut world = World::new(LIMITS);
    world.push(3);
    let first = world.one();
    world.pass(5999);
    assert_eq!(world.due(), []);
    world.pass(1);
    world.due();
    world.pass(500);
    let second = world.one();
    world.answer(&first, 400);
    assert_eq!(world.counted(Outcome::Rejected), 0);
    world.answer(&second, 200);
    world.answer(&second, 200);
    assert_eq!(world.counted(Outcome::Sent), 3);
}

#[test]
fn after_the_last_attempt_records_are_dropped_and_a_gap_is_sent() {
    let mut world = World::new(LIMITS);
    world.push(3);
    for _ in 0..3 {
        let sent = world.one();
        world.answer(&sent, 500);
        world.pass(2000);
    }
    assert_eq!(world.counted(Outcome::DroppedAttempts), 3);
    world.assert_accounted();
    assert_eq!(world.one().text, "gap 3 r1 r3");
}

#[test]
fn without_an_end_nothing_is_dropped_but_by_overflow() {
    let mut world = World::new(Limits { attempts: None, ..LIMITS });
    world.push(3);
    for _ in 0..100 {
        let sent = world.one();
        world.answer(&sent, 503);
        world.pass(30_000);
    }
    assert_eq!(world.delivery.held(), 3);
}

#[test]
fn gaps_that_are_given_up_too_become_one() {
    let mut world = World::new(Limits { attempts: Some(1), ..LIMITS });
    for _ in 0..5 {
        world.push(2);
        world.pass(1000);
        let sent = world.one();
        world.answer(&sent, 500);
    }
    world.pass(1000);
    assert_eq!(world.one().text, "gap 10 r1 r10");
    world.assert_accounted();
}

#[test]
fn the_server_says_when_it_wants_to_be_asked_again() {
    let mut world = World::new(LIMITS);
    world.push(6);
    let sent = world.due();
    world.answer_with(&sent[0], 429, Some(20), "");
    world.answer(&sent[1], 200);
    world.push(3);
    assert!(!world.delivery.is_pressing(world.now), "it holds for all batches");
    world.pass(19_999);
    assert_eq!(world.due(), []);
    world.pass(1);
    assert_eq!(world.one().text, "r7\nr8\nr9");
    world.pass(500);
    assert_eq!(world.one().text, "r1\nr2\nr3");
}

#[test]
fn a_server_does_not_put_off_for_ever() {
    let mut world = World::new(LIMITS);
    world.push(3);
    let sent = world.one();
    world.answer_with(&sent, 503, Some(1_000_000), "");
    world.pass(300_500);
    assert_eq!(world.one().text, "r1\nr2\nr3");
}

#[test]
fn a_wrong_configuration_is_told_as_an_error_and_loses_nothing() {
    for status in [301, 401, 403, 404] {
        let mut world = World::new(LIMITS);
        world.push(3);
        let sent = world.one();
        world.answer(&sent, status);
        let messages = world.delivery.take_messages();
        assert_eq!(messages.len(), 1);
        assert_eq!(messages[0].level, LogLevel::Error);
        let expected = format!("audit sink siem answers with status {status}: look at `uri`, `authorization` and `headers`; ");
        assert!(messages[0].text.starts_with(&expected), "{messages:?}");
        assert_eq!(world.delivery.held(), 3);
    }
}

#[test]
fn trouble_is_told_when_it_begins_and_when_it_ends() {
    let mut world = World::new(Limits { attempts: None, ..LIMITS });
    world.push(3);
    for status in [503, 503, 503, 500, 200] {
        let sent = world.one();
        world.answer(&sent, status);
        world.pass(30_000);
    }
    let expected = [
        "audit sink siem answers with status 503; batches are kept and sent again",
        "audit sink siem answers with status 500; batches are kept and sent again",
        "audit sink siem takes batches again",
    ];
    assert_eq!(world.messages(), expected);
}
