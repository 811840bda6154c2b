//! What is measured of the fetches, and what is said of the configuration.

use portcullis_core::config_version::ConfigVersion;

use super::*;

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

#[test]
fn the_configuration_in_force_is_shown() {
    let proxy = FakeProxy::default();
    let (dispatcher, _) = begin(&proxy, &DECIDES, vec![]);
    let version = |document: &[u8]| ConfigVersion::of(document).get();
    assert_eq!(shown(&proxy, &format!("{MODULE}portcullis_config_version")), [version(b"")]);
    proxy.seconds.set(2_000);
    *proxy.configuration.borrow_mut() = b"bad".to_vec();
    assert!(!dispatcher.configure(&DECIDES, ROOT, 3), "what is refused is not in force");
    *proxy.configuration.borrow_mut() = b"{}".to_vec();
    assert!(dispatcher.configure(&DECIDES, ROOT, 2));
    assert_eq!(shown(&proxy, &format!("{MODULE}portcullis_config_version")), [version(b""), version(b"{}")]);
    assert_eq!(shown(&proxy, &format!("{MODULE}portcullis_config_applied_timestamp_seconds")), [1_000, 2_000]);
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
