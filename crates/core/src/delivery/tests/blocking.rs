//! Requests that are refused because an event could not be kept.

use super::*;

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
