//! What is measured of the fetches, and what is said of the configuration.

use portcullis_core::config_version::ConfigVersion;

use super::*;

const OTHER: u32 = 50;
const MODULE: &str = "module=.=portcullis;.;";

fn shown(proxy: &FakeProxy, name: &str) -> Vec<u64> {
    proxy.recorded.borrow().get(name).cloned().unwrap_or_default()
}

#[test]
fn fetches_are_counted_and_measured() {
    let proxy = FakeProxy::default();
    let mut stage = script([]);
    stage.callout = Some(Callout::Jwks);
    stage.due = vec![fetch(1), fetch(2)];
    let (dispatcher, scripts) = begin(&proxy, &DECIDES, vec![stage, Script { due: vec![fetch(3)], ..script([]) }]);
    dispatcher.tick(ROOT);
    proxy.seconds.set(1_003);
    answer(&proxy, &dispatcher, 101);
    dispatcher.http_call_response(ROOT, 102, 0, 0);
    scripts[0].borrow_mut().due = vec![fetch(4)];
    proxy.failing.borrow_mut().insert("send");
    dispatcher.tick(ROOT);
    for (outcome, expected) in [("success", vec![1]), ("no_answer", vec![1]), ("not_sent", vec![1]), ("bad_status", vec![])] {
        let name = format!("callout=.=jwks;.;outcome=.={outcome};.;portcullis_callouts_total");
        assert_eq!(shown(&proxy, &name), expected, "{outcome}");
    }
    assert_eq!(shown(&proxy, "callout=.=jwks;.;portcullis_callout_duration_ms"), [3_000, 3_000]);
    assert_eq!(proxy.metrics.borrow().iter().filter(|name| name.contains("callout")).count(), 4, "nothing of the other stage");
}

/// A dispatcher with plugins, and no stream yet; the first one has this many things left to send.
fn machine<'a>(proxy: &'a FakeProxy, plugins: &[u32], left: u32) -> Dispatcher<&'a FakeProxy> {
    let dispatcher = Dispatcher::new(proxy);
    SCRIPTS.set(vec![Rc::new(RefCell::new(Script { left, ..script([]) }))]);
    for root in plugins {
        dispatcher.create(*root, 0);
        assert!(dispatcher.configure(&DECIDES, *root, 0));
        SCRIPTS.set(Vec::new());
    }
    dispatcher
}

fn version(document: &[u8]) -> u64 {
    ConfigVersion::of(document).get()
}

#[test]
fn the_configuration_in_force_is_shown_at_the_first_tick_or_request() {
    let proxy = FakeProxy::default();
    let dispatcher = machine(&proxy, &[ROOT], 0);
    let versions = || shown(&proxy, &format!("{MODULE}portcullis_config_version"));
    assert!(proxy.metrics.borrow().is_empty(), "it may be one that is only tried");
    proxy.seconds.set(1_001);
    dispatcher.tick(ROOT);
    dispatcher.tick(ROOT);
    assert_eq!(versions(), [version(b"")]);
    proxy.seconds.set(2_000);
    *proxy.configuration.borrow_mut() = b"bad".to_vec();
    assert!(!dispatcher.configure(&DECIDES, ROOT, 3), "what is refused is not in force");
    *proxy.configuration.borrow_mut() = b"{}".to_vec();
    assert!(dispatcher.configure(&DECIDES, ROOT, 2));
    assert_eq!(versions().len(), 1);
    proxy.seconds.set(2_007);
    add_stream(&dispatcher, &proxy, 7);
    assert_eq!(versions(), [version(b""), version(b"{}")]);
    add_stream(&dispatcher, &proxy, 8);
    dispatcher.tick(ROOT);
    assert_eq!(versions().len(), 2, "once");
    let defined = proxy.metrics.borrow().iter().filter(|name| name.ends_with("config_version")).count();
    assert_eq!(defined, 1, "the proxy forgets no definition");
    assert_eq!(shown(&proxy, &format!("{MODULE}portcullis_config_applied_timestamp_seconds")), [1_000, 2_000]);
}

#[test]
fn a_configuration_out_of_force_does_not_say_that_it_is_in_force() {
    let proxy = FakeProxy::default();
    let dispatcher = machine(&proxy, &[ROOT, OTHER], 1);
    assert!(!dispatcher.done(ROOT));
    dispatcher.tick(ROOT);
    assert!(proxy.metrics.borrow().is_empty());
}

#[test]
fn a_machine_counts_the_seconds_that_it_lives_once_for_all_its_plugins() {
    let proxy = FakeProxy::default();
    let dispatcher = machine(&proxy, &[ROOT, OTHER], 1);
    let seconds = || shown(&proxy, &format!("{MODULE}portcullis_vm_seconds_total")).iter().sum::<u64>();
    for second in 1_000..=1_010 {
        proxy.seconds.set(second);
        dispatcher.tick(ROOT);
        dispatcher.tick(OTHER);
    }
    assert_eq!(seconds(), 10);
    assert!(!dispatcher.done(ROOT));
    proxy.seconds.set(1_012);
    dispatcher.tick(ROOT);
    assert_eq!(seconds(), 10, "what is out of force does not count");
    dispatcher.tick(OTHER);
    assert_eq!(seconds(), 12);
}

#[test]
fn a_stage_learns_once_that_its_configuration_is_no_more() {
    for asks_whether_it_is_done in [false, true] {
        let proxy = FakeProxy::default();
        let (dispatcher, scripts) = begin(&proxy, &DECIDES, vec![script([])]);
        if asks_whether_it_is_done {
            assert!(dispatcher.done(ROOT));
        }
        dispatcher.delete(ROOT);
        dispatcher.delete(ROOT);
        assert_eq!(scripts[0].borrow().closed, 1);
    }
}
