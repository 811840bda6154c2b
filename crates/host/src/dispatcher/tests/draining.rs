//! What a configuration still has when it ends, and what is sent at once.

use super::*;

const OTHER: u32 = 50;

fn begin_with(proxy: &FakeProxy, left: u32) -> (Dispatcher<&FakeProxy>, Rc<RefCell<Script>>) {
    let script = Script { left, due: (0..left).map(|id| fetch(id as usize)).collect(), ..Script::default() };
    let (dispatcher, mut scripts) = begin(proxy, &DECIDES, vec![script]);
    (dispatcher, scripts.remove(0))
}

/// Another plugin of the same virtual machine.
fn add_other(dispatcher: &Dispatcher<&FakeProxy>) {
    SCRIPTS.set(Vec::new());
    dispatcher.create(OTHER, 0);
    assert!(dispatcher.configure(&DECIDES, OTHER, 0));
}

fn left_in_log(proxy: &FakeProxy) -> usize {
    proxy.lines.borrow().iter().filter(|(_, line)| line.starts_with("left ")).count()
}

#[test]
fn a_stream_is_told_of_and_forgotten_when_it_is_done() {
    let proxy = FakeProxy::default();
    let (dispatcher, scripts) = begin(&proxy, &DECIDES, vec![script([])]);
    dispatcher.request_headers(STREAM);
    dispatcher.log(STREAM);
    assert!(dispatcher.done(STREAM));
    assert!(dispatcher.stream(STREAM).is_none());
    // By HTTP/3 the proxy logs later.
    add_stream(&dispatcher, &proxy, 3);
    dispatcher.request_headers(3);
    assert!(dispatcher.done(3));
    dispatcher.log(3);
    assert_eq!(scripts[0].borrow().logs.len(), 2);
    assert!(dispatcher.stream(3).is_none());
    assert!(dispatcher.done(3), "it is gone");
}

#[test]
fn a_configuration_with_nothing_left_ends_at_once() {
    let proxy = FakeProxy::default();
    let (dispatcher, script) = begin_with(&proxy, 0);
    assert_eq!(script.borrow().closed, 0);
    assert!(dispatcher.done(ROOT));
    assert_eq!(script.borrow().closed, 1);
    assert!(dispatcher.roots(ROOT).is_empty());
    assert_eq!(*proxy.done.borrow(), Vec::<u32>::new());
}

#[test]
fn what_is_left_is_sent_while_another_configuration_keeps_the_machine_alive() {
    let proxy = FakeProxy::default();
    let (dispatcher, script) = begin_with(&proxy, 2);
    add_other(&dispatcher);
    proxy.context.set(ROOT);
    assert!(!dispatcher.done(ROOT));
    assert_eq!(proxy.sent.borrow().iter().map(|(context, _)| *context).collect::<Vec<_>>(), [ROOT, ROOT]);
    dispatcher.tick(ROOT);
    assert_eq!(*proxy.done.borrow(), Vec::<u32>::new());
    assert!(!dispatcher.done(ROOT));
    assert_eq!(script.borrow().closed, 1, "it is told once");
    script.borrow_mut().left = 1;
    answer(&proxy, &dispatcher, 101);
    assert_eq!(*proxy.done.borrow(), Vec::<u32>::new());
    script.borrow_mut().left = 0;
    answer(&proxy, &dispatcher, 102);
    assert_eq!(*proxy.done.borrow(), [ROOT]);
    assert!(dispatcher.roots(ROOT).is_empty());
    assert_eq!(left_in_log(&proxy), 0);
    assert_eq!(dispatcher.roots(OTHER).len(), 1);
}

#[test]
fn what_cannot_be_sent_in_time_goes_to_the_log() {
    let proxy = FakeProxy::default();
    let (dispatcher, _) = begin_with(&proxy, 2);
    add_other(&dispatcher);
    assert!(!dispatcher.done(ROOT));
    proxy.seconds.set(1_029);
    dispatcher.tick(ROOT);
    assert_eq!(left_in_log(&proxy), 0);
    proxy.seconds.set(1_030);
    dispatcher.tick(ROOT);
    assert_eq!(left_in_log(&proxy), 2);
    assert_eq!(*proxy.done.borrow(), [ROOT]);
}

#[test]
fn at_the_end_of_the_machine_everything_that_is_left_goes_to_the_log() {
    let proxy = FakeProxy::default();
    let (dispatcher, _) = begin_with(&proxy, 2);
    add_other(&dispatcher);
    assert!(!dispatcher.done(ROOT));
    assert!(dispatcher.done(OTHER));
    assert_eq!(left_in_log(&proxy), 2);

    let proxy = FakeProxy::default();
    let (dispatcher, _) = begin_with(&proxy, 3);
    assert!(dispatcher.done(ROOT), "nobody is left who could send it");
    assert_eq!(left_in_log(&proxy), 3);
}

#[test]
fn without_a_clock_what_is_left_goes_to_the_log() {
    let proxy = FakeProxy::default();
    let (dispatcher, _) = begin_with(&proxy, 2);
    add_other(&dispatcher);
    assert!(!dispatcher.done(ROOT));
    proxy.failing.borrow_mut().insert("now");
    dispatcher.tick(ROOT);
    assert_eq!(left_in_log(&proxy), 2);
}

#[test]
fn a_configuration_that_is_replaced_in_its_context_sends_what_it_has() {
    let proxy = FakeProxy::default();
    let (dispatcher, script) = begin_with(&proxy, 1);
    SCRIPTS.set(Vec::new());
    assert!(dispatcher.configure(&DECIDES, ROOT, 0));
    assert_eq!(dispatcher.roots(ROOT).len(), 2);
    script.borrow_mut().left = 0;
    answer(&proxy, &dispatcher, 101);
    assert_eq!(dispatcher.roots(ROOT).len(), 1);
    assert_eq!(*proxy.done.borrow(), Vec::<u32>::new(), "the context itself is in force");
}

#[test]
fn what_presses_is_sent_from_the_root_when_an_exchange_has_ended() {
    let proxy = FakeProxy::default();
    for is_pressing in [false, true] {
        let stage = Script { is_pressing, due: Vec::new(), ..script([]) };
        let (dispatcher, scripts) = begin(&proxy, &DECIDES, vec![stage]);
        dispatcher.request_headers(STREAM);
        scripts[0].borrow_mut().due = vec![fetch(3)];
        dispatcher.log_and_send(STREAM);
        let sent: Vec<_> = proxy.sent.borrow().iter().map(|(context, fetch)| (*context, fetch.id.0)).collect();
        assert_eq!(sent, if is_pressing { vec![(ROOT, 3)] } else { vec![] });
    }
}

#[test]
fn requests_go_by_unseen_where_no_stage_decides() {
    let proxy = FakeProxy::default();
    proxy.failing.borrow_mut().insert("request_headers");
    let stage = Script { only_observes: true, ..script([refuse(Rejection::TokenMissing)]) };
    let (dispatcher, scripts) = begin(&proxy, &READS, vec![stage]);
    assert_eq!(dispatcher.request_headers(STREAM), Action::Continue);
    assert_eq!((scripts[0].borrow().asked, proxy.read.borrow().len()), (0, 0));
    dispatcher.log(STREAM);
    assert_eq!(scripts[0].borrow().logs.len(), 1);
}
