//! A delivery against a simulated clock and a server that says what the test says.

mod accounting;
mod blocking;
mod refusing;
mod retrying;

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::keyring::Location;
use crate::stage::{LogLevel, Post};

/// Records as lines; an answer is a list of statuses, one for each record, or empty.
#[derive(Debug)]
struct Lines;

impl Framing for Lines {
    fn content_type(&self) -> &'static str {
        "text/plain"
    }

    fn separator(&self) -> &str {
        "\n"
    }

    fn gap(&self, gap: &Gap, _line: String) -> String {
        format!("gap {} {} {}", gap.dropped, gap.first, gap.last)
    }

    fn receipt(&self, _records: usize, answer: &[u8]) -> Receipt {
        let text = std::str::from_utf8(answer).unwrap();
        if let Some(count) = text.strip_prefix("all but ") {
            return Receipt::AllBut(count.parse().unwrap());
        }
        let fate = |status: &str| match status.parse().unwrap() {
            status @ (429 | 500..) => Fate::Again(status),
            409 | 200 => Fate::Taken,
            status => Fate::Refused(status),
        };
        if text.is_empty() { Receipt::All } else { Receipt::Each(text.split(' ').map(fate).collect()) }
    }
}

const LIMITS: Limits = Limits {
    batch_records: 3,
    batch_bytes: 1000,
    interval: Duration::from_secs(1),
    buffer_records: 10,
    buffer_bytes: 10_000,
    in_flight: 2,
    attempts: Some(3),
};

fn policy(limits: Limits, overflow: Overflow) -> Policy {
    Policy {
        label: "siem".into(),
        target: Target::plain(&Location::parse("http://sink/in", Some("sink")).unwrap(), Duration::from_secs(5)),
        framing: Rc::new(Lines),
        limits,
        backoff: Backoff { first: Duration::from_millis(500), longest: Duration::from_secs(30) },
        overflow,
        gap_seal: None,
    }
}

/// A delivery with its clock.
struct World {
    delivery: Delivery,
    now: UnixTime,
    pushed: usize,
    fetches: usize,
}

impl World {
    fn new(limits: Limits) -> Self {
        Self::with(limits, Overflow::DropOldest)
    }

    fn with(limits: Limits, overflow: Overflow) -> Self {
        let delivery = Delivery::new(policy(limits, overflow), 7);
        Self { delivery, now: UnixTime::from_secs(1_000_000), pushed: 0, fetches: 0 }
    }

    fn push(&mut self, count: usize) {
        for _ in 0..count {
            self.push_sized(0);
        }
    }

    /// A record whose text is its id, and so many bytes more.
    fn push_sized(&mut self, bytes: usize) {
        self.pushed += 1;
        let id = format!("r{}", self.pushed);
        let body = format!("{id}{}", "x".repeat(bytes));
        self.delivery.push(Record { id: id.into(), time: self.now, body }, self.now);
    }

    fn pass(&mut self, milliseconds: u64) {
        self.now = self.now.saturating_add(Duration::from_millis(milliseconds));
    }

    fn due(&mut self) -> Vec<Sent> {
        let fetches = &mut self.fetches;
        let mut id = || {
            *fetches += 1;
            FetchId(*fetches)
        };
        self.delivery.due(self.now, &mut id).into_iter().map(Sent::of).collect()
    }

    /// The one batch that is due.
    #[track_caller]
    fn one(&mut self) -> Sent {
        let mut due = self.due();
        assert_eq!(due.len(), 1, "{due:?}");
        due.remove(0)
    }

    fn answer(&mut self, sent: &Sent, status: u16) {
        self.answer_with(sent, status, None, "");
    }

    fn answer_with(&mut self, sent: &Sent, status: u16, retry_after: Option<u64>, body: &str) {
        let retry_after = retry_after.map(Duration::from_secs);
        let outcome = FetchOutcome::Answered { status, max_age: None, retry_after, body: body.as_bytes().to_vec() };
        self.delivery.on_fetched(sent.id, outcome, self.now);
    }

    /// The lines in the log since the last time.
    fn messages(&mut self) -> Vec<String> {
        self.delivery.take_messages().into_iter().map(|message| message.text).collect()
    }

    fn counted(&self, outcome: Outcome) -> u64 {
        self.delivery.counted(outcome)
    }

    /// Each record is exactly one of: here, sent, dropped, rejected.
    #[track_caller]
    fn assert_accounted(&self) {
        let gone = [Outcome::Sent, Outcome::DroppedOverflow, Outcome::DroppedAttempts, Outcome::Rejected, Outcome::Logged];
        let gone: u64 = gone.into_iter().map(|outcome| self.counted(outcome)).sum();
        assert_eq!(gone + u64::try_from(self.delivery.held()).unwrap(), u64::try_from(self.pushed).unwrap());
    }
}

/// What was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sent {
    id: FetchId,
    batch: String,
    text: String,
}

impl Sent {
    fn of(fetch: Fetch) -> Self {
        let Post { headers, body, .. } = fetch.post.unwrap();
        let key = headers.iter().find(|(name, _)| &**name == "idempotency-key").unwrap().1.to_string();
        Self { id: fetch.id, batch: key, text: String::from_utf8(body.to_vec()).unwrap() }
    }

    fn lines(&self) -> Vec<&str> {
        self.text.lines().collect()
    }
}

#[test]
fn a_batch_is_due_by_its_records_its_bytes_or_the_age_of_the_oldest() {
    let mut world = World::new(LIMITS);
    world.push(2);
    assert!(!world.delivery.is_pressing(world.now));
    assert_eq!(world.due(), []);
    world.push(2);
    assert!(world.delivery.is_pressing(world.now));
    assert_eq!(world.one().text, "r1\nr2\nr3");
    world.pass(999);
    assert_eq!(world.due(), []);
    world.pass(1);
    assert_eq!(world.one().text, "r4");

    let mut world = World::new(LIMITS);
    world.push_sized(600);
    world.push_sized(600);
    let due = world.due();
    assert_eq!(due.len(), 1, "the second does not fit and is younger than the interval");
    assert!(due[0].text.starts_with("r1x") && due[0].lines().len() == 1);
}

#[test]
fn a_record_that_is_larger_than_a_batch_is_sent_alone() {
    let mut world = World::new(LIMITS);
    world.push(1);
    world.push_sized(5000);
    world.push(1);
    world.pass(1000);
    let due = world.due();
    assert_eq!(due.iter().map(|sent| sent.lines().len()).collect::<Vec<_>>(), [1, 1]);
    assert!(due[1].text.len() > 5000);
}

#[test]
fn so_many_batches_are_under_way_and_no_more() {
    let mut world = World::new(LIMITS);
    world.push(9);
    let due = world.due();
    assert_eq!(due.len(), 2);
    assert!(!world.delivery.is_pressing(world.now));
    assert_eq!(world.due(), []);
    world.answer(&due[0], 200);
    assert_eq!(world.one().text, "r7\nr8\nr9");
    world.assert_accounted();
}

#[test]
fn a_clock_that_was_set_back_puts_nothing_off() {
    let mut world = World::new(LIMITS);
    world.push(1);
    world.now = UnixTime::from_secs(500_000);
    let sent = world.one();
    world.answer_with(&sent, 503, Some(200), "");
    world.now = UnixTime::from_secs(100_000);
    assert_eq!(world.one().text, "r1");
    world.now = UnixTime::from_secs(50_000);
    let again = world.due();
    assert!(again.is_empty(), "given up as lost, and due after a pause");
    world.pass(30_000);
    assert_eq!(world.one().text, "r1");
}

#[test]
fn what_does_not_fit_drops_the_oldest_and_leaves_one_gap() {
    let mut world = World::new(Limits { batch_records: 10, ..LIMITS });
    world.push(13);
    assert_eq!(world.counted(Outcome::DroppedOverflow), 3);
    assert_eq!(world.one().lines()[..2], ["gap 3 r1 r3", "r4"]);
    world.assert_accounted();

    let mut world = World::new(Limits { buffer_bytes: 1000, ..LIMITS });
    world.push_sized(400);
    world.push_sized(400);
    world.push_sized(400);
    assert_eq!(world.counted(Outcome::DroppedOverflow), 1);
    world.assert_accounted();
}

#[test]
fn what_is_under_way_counts_to_the_buffer_and_is_not_dropped() {
    let mut world = World::new(LIMITS);
    world.push(6);
    let due = world.due();
    assert_eq!(due.len(), 2);
    world.push(6);
    assert_eq!(world.counted(Outcome::DroppedOverflow), 2);
    world.answer(&due[0], 200);
    assert_eq!(world.one().lines(), ["gap 2 r7 r8", "r9", "r10"]);
    world.assert_accounted();
}

#[test]
fn a_configuration_that_ends_waits_for_nothing() {
    let mut world = World::new(LIMITS);
    world.push(1);
    assert_eq!(world.due(), []);
    world.delivery.drain();
    assert!(!world.delivery.is_idle());
    let sent = world.one();
    world.answer(&sent, 200);
    assert!(world.delivery.is_idle());
}

#[test]
fn what_is_left_at_the_end_is_written_to_the_log_and_counted() {
    let mut world = World::new(Limits { buffer_records: 4, ..LIMITS });
    world.push(3);
    let under_way = world.one();
    world.push(2);
    let lines = world.delivery.abandon();
    assert_eq!(lines[..3], ["r1", "r2", "r3"]);
    assert!(lines[3].starts_with("{\"schema\":\"portcullis.audit.gap/1\""), "{lines:?}");
    assert_eq!(lines[4..], ["r5"]);
    assert_eq!((world.counted(Outcome::Logged), world.delivery.held()), (4, 0));
    world.answer(&under_way, 200);
    assert_eq!(world.counted(Outcome::Sent), 0, "nobody counts it twice");
    world.assert_accounted();
}

#[test]
fn metrics_tell_what_became_of_each_record_and_the_queue_adds_up() {
    #[derive(Default)]
    struct Board(BTreeMap<String, i64>, Vec<String>);
    impl Observer for Board {
        fn define_metric(&mut self, _: crate::stage::MetricKind, name: &str) -> Option<crate::stage::MetricId> {
            self.1.push(name.to_owned());
            Some(crate::stage::MetricId(u32::try_from(self.1.len() - 1).unwrap()))
        }
        fn increment(&mut self, metric: crate::stage::MetricId, amount: u64) {
            self.adjust(metric, i64::try_from(amount).unwrap());
        }
        fn record(&mut self, metric: crate::stage::MetricId, value: u64) {
            self.0.insert(self.1[metric.0 as usize].clone(), i64::try_from(value).unwrap());
        }
        fn adjust(&mut self, metric: crate::stage::MetricId, by: i64) {
            *self.0.entry(self.1[metric.0 as usize].clone()).or_default() += by;
        }
        fn set_state(&mut self, _: &str, _: &str) {}
        fn print(&mut self, _: &str) {}
    }
    let mut board = Board::default();
    let mut world = World::new(LIMITS);
    world.delivery.show(&mut board);
    assert_eq!(board.0.len(), 0, "nothing is defined before it is needed");
    world.push(12);
    world.delivery.show(&mut board);
    let sent = world.due();
    world.answer(&sent[0], 200);
    world.answer(&sent[1], 500);
    world.delivery.show(&mut board);
    let mut expected = vec![
        ("sink=.=siem;.;outcome=.=dropped;.;reason=.=overflow;.;portcullis_audit_events_total", 2),
        ("sink=.=siem;.;outcome=.=queued;.;portcullis_audit_events_total", 12),
        ("sink=.=siem;.;outcome=.=retried;.;portcullis_audit_batches_total", 1),
        ("sink=.=siem;.;outcome=.=sent;.;portcullis_audit_batches_total", 1),
        ("sink=.=siem;.;outcome=.=sent;.;portcullis_audit_events_total", 2),
        ("sink=.=siem;.;portcullis_audit_last_success_timestamp_seconds", 1_000_000),
        ("sink=.=siem;.;portcullis_audit_queue_events", 8),
        ("sink=.=siem;.;portcullis_audit_queue_limit_events", 10),
    ];
    let owned = |expected: &[(&str, i64)]| expected.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
    assert_eq!(board.0, owned(&expected));
    assert_eq!(world.delivery.abandon().len(), 8);
    world.delivery.show(&mut board);
    for gauge in [6, 7] {
        expected[gauge].1 = 0;
    }
    expected.push(("sink=.=siem;.;outcome=.=logged;.;portcullis_audit_events_total", 8));
    assert_eq!(board.0, owned(&expected));
}
