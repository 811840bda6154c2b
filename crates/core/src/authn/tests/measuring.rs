//! What the stage says of its verifications and of its cache.

use super::*;
use crate::metrics::Board;
use crate::stage::{NotShared, NotTold, Over, Written};

/// A clock that goes on by 14 µs with each look at it.
struct Clock(u64);

impl SharedData for Clock {
    fn read(&mut self, _: &str) -> Result<Option<(Vec<u8>, u32)>, NotShared> {
        Err(NotShared)
    }

    fn write(&mut self, _: &str, _: &[u8], _: Over) -> Result<Written, NotShared> {
        Err(NotShared)
    }
}

impl Surroundings for Clock {
    fn is_tls(&mut self) -> Result<bool, NotTold> {
        Err(NotTold)
    }

    fn client_certificate(&mut self) -> Result<Option<Vec<u8>>, NotTold> {
        Err(NotTold)
    }

    fn clock(&mut self) -> Option<UnixTime> {
        self.0 = self.0.checked_add(14_000)?;
        Some(UnixTime::from_nanos(self.0))
    }
}

fn send(stage: &mut Authn, token: &str) {
    let authorization = format!("Bearer {token}");
    stage.on_request(&mut exchange("/admin/x", &[("authorization", &authorization)]), NOW, &mut Clock(0));
}

fn shown(board: &Board) -> Vec<(&str, &[u64])> {
    board.values.iter().map(|(name, values)| (name.as_str(), values.as_slice())).collect()
}

const HITS: &str = "outcome=.=hit;.;portcullis_token_cache_lookups_total";
const MISSES: &str = "outcome=.=miss;.;portcullis_token_cache_lookups_total";
const FAILURES: &str = "issuer=.=uaa;.;portcullis_jwks_consecutive_failures";
const KEYS: &str = "issuer=.=uaa;.;portcullis_jwks_keys";
const DURATION: &str = "issuer=.=uaa;.;portcullis_verify_duration_us";

#[test]
fn measures_the_signatures_that_were_verified_and_counts_the_tokens_that_were_known() {
    let (mut stage, mut board) = (authn(&config()), Board::default());
    let claims = json!({"iss": "https://uaa", "exp": 1_700_000_100});
    let good = signed(&claims);
    let forged = format!("{}{}", good.rsplit_once('.').unwrap().0, ".AAAA");
    let stranger = signed(&json!({"iss": "https://other", "exp": 1_700_000_100}));
    for token in [&*good, &good, &good, &forged, &stranger, "no.token"] {
        send(&mut stage, token);
    }
    send(&mut stage, &signed(&json!({"iss": "https://uaa", "exp": 1})));
    stage.on_tick(NOW, &mut board);
    stage.on_tick(NOW, &mut board);
    assert_eq!(shown(&board), [(FAILURES, &[0][..]), (KEYS, &[1]), (DURATION, &[14, 14, 14]), (HITS, &[2]), (MISSES, &[5])]);
    assert_eq!(board.levels["portcullis_token_cache_entries"], 1);
    assert!(board.levels["portcullis_token_cache_bytes"] > i64::try_from(good.len()).unwrap());
    send(&mut stage, &good);
    stage.close(NOW, &mut board);
    assert_eq!(board.values[HITS], [2, 1], "what came after the last tick is not lost");
    let is_empty = |board: &Board| board.levels.values().all(|level| *level == 0);
    assert!(is_empty(&board), "{:?}", board.levels);
    // A batch that is under way keeps the configuration alive, and so do requests that wait.
    stage.on_tick(NOW, &mut board);
    assert!(is_empty(&board), "{:?}", board.levels);
    send(&mut stage, &good);
    stage.on_tick(NOW, &mut board);
    assert!(!is_empty(&board));
    stage.abandon(&mut board);
    assert!(is_empty(&board), "{:?}", board.levels);
}

/// What a configuration before had shown of the issuer would stand for ever.
#[test]
fn fixed_keys_take_the_place_of_fetched_ones_in_the_gauges() {
    let (mut stage, mut board) = (authn(&config()), Board::default());
    for name in [FAILURES, KEYS] {
        let gauge = board.define_metric(crate::stage::MetricKind::Gauge, name).unwrap();
        board.record(gauge, 7);
    }
    stage.on_tick(NOW, &mut board);
    stage.on_tick(NOW, &mut board);
    assert_eq!(shown(&board), [(FAILURES, &[7, 0][..]), (KEYS, &[7, 1])]);
}

#[test]
fn measures_nothing_where_nobody_wants_to_know() {
    let (mut stage, mut board) = (authn(&config()).unmeasured(), Board::default());
    send(&mut stage, &signed(&json!({"iss": "https://uaa", "exp": 1_700_000_100})));
    stage.on_tick(NOW, &mut board);
    stage.close(NOW, &mut board);
    assert_eq!(shown(&board), [(FAILURES, &[0][..]), (KEYS, &[1]), (MISSES, &[1])]);
}
