//! Whatever the server says, and whenever: each record is accounted for, and none is sent again that was acknowledged.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Push(usize),
    PushLarge,
    Pass(u64),
    SetBack(u64),
    Drain,
    Answer { which: usize, reply: Answer },
}

#[derive(Debug, Clone)]
enum Answer {
    Lost,
    NotSent,
    Status(u16, Option<u64>),
    Each(Vec<u16>),
    AllBut(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let status = prop::sample::select(vec![200_u16, 204, 302, 400, 401, 404, 408, 413, 422, 429, 500, 503, 504]);
    let item = prop::sample::select(vec![200_u16, 400, 409, 429, 503]);
    let reply = prop_oneof![
        Just(Answer::Lost),
        Just(Answer::NotSent),
        (status, prop::option::of(0..700_u64)).prop_map(|(status, after)| Answer::Status(status, after)),
        prop::collection::vec(item, 1..5).prop_map(Answer::Each),
        (0..5_usize).prop_map(Answer::AllBut),
    ];
    prop_oneof![
        4 => (1..8_usize).prop_map(Step::Push),
        1 => Just(Step::PushLarge),
        3 => (0..20_000_u64).prop_map(Step::Pass),
        1 => (0..20_000_u64).prop_map(Step::SetBack),
        1 => Just(Step::Drain),
        6 => (0..4_usize, reply).prop_map(|(which, reply)| Step::Answer { which, reply }),
    ]
}

/// Answers one batch; the records that the server has acknowledged by it.
fn answer(world: &mut World, sent: &Sent, reply: &Answer) -> Vec<String> {
    let records = || sent.lines().into_iter().map(str::to_owned);
    match reply {
        Answer::Lost => world.delivery.on_fetched(sent.id, FetchOutcome::Lost, world.now),
        Answer::NotSent => world.delivery.on_fetched(sent.id, FetchOutcome::NotSent, world.now),
        Answer::Status(status, after) => {
            world.answer_with(sent, *status, *after, "");
            return if matches!(status, 200..=299) { records().collect() } else { Vec::new() };
        }
        Answer::AllBut(count) => {
            world.answer_with(sent, 200, None, &format!("all but {count}"));
            return records().collect();
        }
        Answer::Each(statuses) => {
            let statuses: Vec<_> = records().zip(statuses.iter().cycle()).map(|(_, status)| status.to_string()).collect();
            world.answer_with(sent, 200, None, &statuses.join(" "));
            let taken = records().zip(&statuses).filter(|(_, status)| !matches!(status.as_str(), "429" | "503"));
            return taken.map(|(record, _)| record).collect();
        }
    }
    Vec::new()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_record_is_accounted_for_and_none_is_sent_after_it_was_acknowledged(
        steps in prop::collection::vec(step(), 1..120),
        attempts in prop::option::of(1..5_u32),
        blocks: bool,
    ) {
        let overflow = if blocks { Overflow::Block } else { Overflow::DropOldest };
        let mut world = World::with(Limits { attempts, ..LIMITS }, overflow);
        let mut under_way: Vec<Sent> = Vec::new();
        let mut acknowledged = BTreeSet::new();
        for step in steps {
            match step {
                Step::Push(count) => world.push(count),
                Step::PushLarge => world.push_sized(3000),
                Step::Pass(milliseconds) => world.pass(milliseconds),
                Step::SetBack(milliseconds) => world.now = world.now.saturating_sub(Duration::from_millis(milliseconds)),
                Step::Drain => world.delivery.drain(),
                Step::Answer { which, reply } => {
                    if which < under_way.len() {
                        let sent = under_way.remove(which);
                        let is_heard = world.delivery.in_flight.iter().any(|flight| flight.id == sent.id);
                        let known = answer(&mut world, &sent, &reply);
                        acknowledged.extend(known.into_iter().filter(|_| is_heard).filter(|record| !record.starts_with("gap")));
                    }
                }
            }
            for sent in world.due() {
                for line in sent.lines() {
                    prop_assert!(!acknowledged.contains(line), "{line} was acknowledged");
                }
                under_way.push(sent);
            }
            world.assert_accounted();
            prop_assert!(world.delivery.in_flight.len() <= LIMITS.in_flight);
            let room = LIMITS.buffer_records * if blocks { 2 } else { 1 };
            prop_assert!(world.delivery.held() <= room.max(LIMITS.in_flight * LIMITS.batch_records));
        }
        // A server that takes everything gets everything that is left.
        world.delivery.drain();
        for _ in 0..2000 {
            for sent in world.due() {
                world.answer(&sent, 200);
            }
            world.pass(5000);
        }
        prop_assert!(world.delivery.is_idle());
        prop_assert_eq!(world.delivery.held(), 0);
        world.assert_accounted();
    }
}
