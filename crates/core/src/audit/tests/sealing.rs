use portcullis_chain::{Auditor, MacKey, Order, Place, Problem};

use super::*;

#[test]
fn each_event_is_sealed_to_the_one_before_it_and_the_same_in_every_sink() {
    let config = json!({"sinks": [{"type": "accesslog"}, {"type": "stdout"}], "default": {"record": "always"}});
    let key = || MacKey::new(&[7; 32]).unwrap();
    let chain = Chain::new(key(), Serials::new(&[0; 32]).stream(), None);
    let mut stage = stage(config).with_chain(Some(chain));
    let mut written = Written::default();
    for _ in 0..3 {
        stage.on_log(&Exchange::new(Request::default(), None), &Completion::default(), NOW, &mut written);
    }
    let states: Vec<_> = written.states.iter().map(|(_, value)| value.clone()).collect();
    assert_eq!(states, written.lines);
    let mut auditor = Auditor::new(vec![key()], vec![], Order::Written);
    for (line, text) in (1..).zip(&written.lines) {
        auditor.read_line(&Place { file: "log".into(), line }, text.as_bytes());
    }
    assert_eq!(auditor.take_findings(), []);
    let (summary, rest) = auditor.finish();
    assert_eq!((summary.records, summary.streams), (3, 1));
    assert_eq!(rest.into_iter().map(|finding| finding.problem).collect::<Vec<_>>(), [Problem::Endless]);
}
