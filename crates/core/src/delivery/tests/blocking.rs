//! Requests that are refused because an event could not be kept.

use super::*;
use crate::health::SinkState;

#[test]
fn a_place_is_kept_for_each_request_that_is_let_in() {
    let mut world = World::with(Limits { buffer_records: 4, ..LIMITS }, Overflow::Block);
    for _ in 0..4 {
        assert!(world.delivery.has_room());
        world.delivery.reserve();
    }
    assert!(!world.delivery.has_room());
    for _ in 0..3 {
        world.delivery.release();
        world.push(1);
    }
    assert!(!world.delivery.has_room());
    world.delivery.release();
    assert!(world.delivery.has_room(), "a request that is not recorded gives its place back");
    assert_eq!(world.counted(Outcome::DroppedOverflow), 0);
    let sent = world.one();
    world.answer(&sent, 200);
    assert!(world.delivery.has_room());
}

#[test]
fn a_refused_request_is_told_of_in_its_place() {
    let mut world = World::with(LIMITS, Overflow::Block);
    world.push(1);
    for id in ["b1", "b2"] {
        world.delivery.skip(&id.into(), world.now);
    }
    world.push(1);
    world.delivery.skip(&"b3".into(), world.now);
    world.pass(1000);
    let texts: Vec<_> = world.due().into_iter().map(|sent| sent.text).collect();
    assert_eq!(texts, ["r1\ngap 2 b1 b2\nr2", "gap 1 b3 b3"]);
    assert_eq!(world.counted(Outcome::Blocked), 3);
    world.assert_accounted();
}

#[test]
fn requests_that_never_asked_do_not_fill_the_memory() {
    let mut world = World::with(Limits { buffer_records: 4, ..LIMITS }, Overflow::Block);
    world.push(20);
    assert_eq!((world.delivery.held(), world.counted(Outcome::DroppedOverflow)), (8, 12));
}

#[test]
fn where_the_oldest_is_dropped_there_is_always_room() {
    let mut world = World::new(Limits { buffer_records: 3, ..LIMITS });
    world.push(9);
    assert!(world.delivery.has_room());
}

#[test]
fn a_sink_is_full_of_what_waits_and_not_of_requests_under_way() {
    let mut world = World::with(Limits { buffer_records: 4, ..LIMITS }, Overflow::Block);
    let state = |world: &World| (world.delivery.health().state, world.delivery.health().queued);
    (0..4).for_each(|_| world.delivery.reserve());
    assert_eq!(state(&world), (SinkState::Ok, 0));
    world.push(3);
    let sent = world.one();
    assert_eq!(state(&world), (SinkState::Ok, 3));
    world.answer(&sent, 503);
    assert_eq!(state(&world), (SinkState::Retrying, 3));
    world.push(1);
    assert_eq!(state(&world), (SinkState::Full, 4));
    assert!(world.delivery.health().blocks);
    world.pass(1000);
    for sent in world.due() {
        world.answer(&sent, 200);
    }
    assert_eq!(state(&world), (SinkState::Ok, 0));
    assert!(!World::new(LIMITS).delivery.health().blocks);
}
