//! Batches and records that a server refuses for what they are.

use super::*;

/// Answers whatever is due, until there is nothing for a while.
fn serve(world: &mut World, mut status: impl FnMut(&Sent) -> u16) -> Vec<String> {
    let mut texts = Vec::new();
    let mut idle = 0;
    while idle < 100 {
        let due = world.due();
        idle = if due.is_empty() { idle + 1 } else { 0 };
        for sent in due {
            texts.push(sent.text.clone());
            let status = status(&sent);
            world.answer(&sent, status);
        }
        world.pass(100);
    }
    texts
}

const LARGE: Limits = Limits { batch_records: 500, buffer_records: 1000, buffer_bytes: 100_000, batch_bytes: 100_000, ..LIMITS };

#[test]
fn the_culprit_is_found_and_the_others_arrive() {
    let mut world = World::new(LARGE);
    world.push(500);
    let has_culprit = |sent: &Sent| sent.lines().contains(&"r77");
    let texts = serve(&mut world, |sent| if has_culprit(sent) { 400 } else { 200 });
    assert_eq!((world.counted(Outcome::Sent), world.counted(Outcome::Rejected)), (499, 1));
    assert!(texts.len() < 25, "{} requests", texts.len());
    assert!(texts.contains(&"gap 1 r77 r77".to_owned()));
    assert_eq!(world.messages(), ["audit sink siem refuses r77 with status 400"]);
    assert!(world.delivery.is_idle());
}

#[test]
fn the_search_ends_where_everything_is_refused() {
    let mut world = World::new(LARGE);
    world.push(500);
    let texts = serve(&mut world, |_| 422);
    assert_eq!(world.counted(Outcome::Rejected), 500);
    let of_records = texts.iter().filter(|text| text.contains('r') && !text.starts_with("gap")).count();
    assert!(of_records <= 1 + 2 * MAX_HALVINGS as usize, "{of_records} requests");
    assert!(texts.len() < 300, "{} requests", texts.len());
    assert_eq!(world.messages().len(), 1, "one line a minute");
    assert!(world.delivery.is_idle());
}

#[test]
fn what_is_too_large_is_halved_until_it_fits() {
    let mut world = World::new(LARGE);
    world.push(100);
    serve(&mut world, |sent| if sent.lines().len() > 10 { 413 } else { 200 });
    assert_eq!(world.counted(Outcome::Sent), 100);

    world.push(3);
    serve(&mut world, |sent| if sent.lines().contains(&"r102") { 413 } else { 200 });
    assert_eq!((world.counted(Outcome::Sent), world.counted(Outcome::Rejected)), (102, 1));
    world.assert_accounted();
}

#[test]
fn single_records_are_sent_again_or_rejected_as_the_answer_says() {
    let mut world = World::new(LIMITS);
    world.push(3);
    let sent = world.one();
    world.answer_with(&sent, 200, None, "409 429 400");
    assert_eq!((world.counted(Outcome::Sent), world.counted(Outcome::Rejected)), (1, 1));
    world.assert_accounted();
    world.pass(1000);
    let again = world.due();
    let texts: Vec<_> = again.iter().map(|sent| sent.text.as_str()).collect();
    assert_eq!(texts, ["r2", "gap 1 r3 r3"]);
    assert_ne!(again[0].batch, sent.batch, "another content is another batch");
    world.answer_with(&again[0], 200, None, "503");
    world.pass(1000);
    let last = world.one();
    world.answer_with(&last, 200, None, "429");
    assert_eq!(world.counted(Outcome::DroppedAttempts), 1, "each repetition was an attempt");
    world.assert_accounted();
}

#[test]
fn a_server_that_only_says_how_many_is_not_asked_again() {
    let mut world = World::new(LIMITS);
    world.push(3);
    let sent = world.one();
    world.answer_with(&sent, 200, None, "all but 2");
    assert_eq!((world.counted(Outcome::Sent), world.counted(Outcome::Rejected)), (1, 2));
    world.push(1);
    world.pass(1000);
    let sent = world.one();
    world.answer_with(&sent, 200, None, "all but 9");
    assert_eq!((world.counted(Outcome::Sent), world.counted(Outcome::Rejected)), (1, 3));
    world.assert_accounted();
}

#[test]
fn an_answer_about_other_records_says_nothing_of_these() {
    let mut world = World::new(LIMITS);
    world.push(3);
    let sent = world.one();
    world.answer_with(&sent, 200, None, "400 400");
    assert_eq!(world.counted(Outcome::Sent), 3);
}

#[test]
fn a_refused_gap_is_not_replaced_by_another() {
    let mut world = World::new(LIMITS);
    world.push(1);
    let texts = serve(&mut world, |_| 400);
    assert_eq!(texts, ["r1", "gap 1 r1 r1"]);
    assert!(world.delivery.is_idle());
}
