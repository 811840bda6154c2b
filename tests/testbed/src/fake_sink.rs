//! A fake server that takes batches of records, keeps each of them, and is out of order in the way that a test chooses.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::http::{Headers, Message};
use crate::server::Server;

/// How the sink is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Manner {
    /// It takes every batch.
    Good,
    /// It takes every batch, but answers only after this time.
    Slow(Duration),
    /// It answers with this status, and with this `retry-after`.
    Failing(u16, Option<String>),
    /// It answers 400 to a batch with this text in it, and takes all others.
    Refusing(String),
    /// It answers 413 to a batch with more records than that.
    Small(usize),
    /// It answers 200, and in the body for each record as `_bulk` does: 400 to one with this text in it, 429 to each other one that comes
    /// for the first time, and 409 to one that it has.
    Partial(String),
}

/// A batch that came, taken or not.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The headers of its request.
    pub headers: Headers,
    /// Its records; of those that came in [parts](Manner::Partial), the ones that were taken.
    pub records: Vec<Value>,
    /// Whether the sink took it. As it answers late, the proxy may not have heard of it.
    pub is_taken: bool,
}

#[derive(Debug)]
struct State {
    manner: Manner,
    batches: Vec<Batch>,
    /// The ids of records that were told to come again.
    busy: BTreeSet<String>,
}

impl State {
    /// The status of a record, as `_bulk` gives it.
    fn status_of(&mut self, record: &Value, word: &str) -> u16 {
        let id = text(record, "id");
        let is_there = |batch: &Batch| batch.records.iter().any(|other| text(other, "id") == id);
        let is_odd = id.bytes().next_back().is_some_and(|digit| digit % 2 == 1);
        if self.batches.iter().any(is_there) {
            409
        } else if !is_gap(record) && record.to_string().contains(word) {
            400
        } else if is_odd && self.busy.insert(id) {
            429
        } else {
            201
        }
    }
}

/// The sink. Like a store that knows ids it has a record once, however often it comes.
#[derive(Debug)]
pub struct FakeSink {
    address: SocketAddr,
    server: Mutex<Option<Server>>,
    state: Arc<Mutex<State>>,
}

impl FakeSink {
    /// Start one that takes everything.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn start() -> Result<Self> {
        let state = Arc::new(Mutex::new(State { manner: Manner::Good, batches: Vec::new(), busy: BTreeSet::new() }));
        let server = serve(None, &state).context("the fake sink cannot start")?;
        Ok(Self { address: server.address(), server: Mutex::new(Some(server)), state })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Do so from now on. A sink that was down is up again.
    ///
    /// # Panics
    /// When its port is taken.
    pub fn set_manner(&self, manner: Manner) {
        lock(&self.state).manner = manner;
        let mut server = lock(&self.server);
        if server.is_none() {
            *server = Some(serve(Some(self.address), &self.state).expect("its port is free"));
        }
    }

    /// Refuse connections from now on.
    pub fn go_down(&self) {
        drop(lock(&self.server).take());
    }

    /// Every batch that came, in the order in which they came.
    #[must_use]
    pub fn batches(&self) -> Vec<Batch> {
        lock(&self.state).batches.clone()
    }

    /// The records that it took, by their id.
    #[must_use]
    pub fn records(&self) -> BTreeMap<String, Value> {
        let state = lock(&self.state);
        let taken = state.batches.iter().filter(|batch| batch.is_taken).flat_map(|batch| &batch.records);
        taken.map(|record| (text(record, "id"), record.clone())).collect()
    }

    /// The ids of the requests of the events that it took.
    #[must_use]
    pub fn request_ids(&self) -> BTreeSet<String> {
        self.records()
            .values()
            .filter(|record| text(record, "schema") == "portcullis.audit/1")
            .map(|record| text(record, "requestId"))
            .collect()
    }

    /// How many events are missing, by the gap records that it took, by their reason.
    #[must_use]
    pub fn missing(&self) -> BTreeMap<String, u64> {
        let mut missing = BTreeMap::new();
        for gap in self.records().values().filter(|record| is_gap(record)) {
            *missing.entry(text(gap, "reason")).or_default() += gap.get("dropped").and_then(Value::as_u64).unwrap_or_default();
        }
        missing
    }
}

fn is_gap(record: &Value) -> bool {
    text(record, "schema").starts_with("portcullis.audit.gap/")
}

fn text(record: &Value, member: &str) -> String {
    record.get(member).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(address: Option<SocketAddr>, state: &Arc<Mutex<State>>) -> io::Result<Server> {
    let state = Arc::clone(state);
    Server::start_at(address, move |mut stream| {
        let request = Message::read(&mut stream, false)?;
        let mut records = read(&request)?;
        let manner = lock(&state).manner.clone();
        let mut body = String::new();
        if let Manner::Partial(word) = &manner {
            let mut state = lock(&state);
            let statuses: Vec<_> = records.iter().map(|record| state.status_of(record, word)).collect();
            let items: Vec<_> = statuses.iter().map(|status| json!({"create": {"status": status}})).collect();
            body = json!({"errors": true, "items": items}).to_string();
            let mut statuses = statuses.into_iter();
            records.retain(|_| statuses.next() == Some(201));
        }
        if let Manner::Slow(time) = manner {
            thread::sleep(time);
        }
        let (status, retry_after) = match &manner {
            Manner::Good | Manner::Slow(_) | Manner::Partial(_) => (200, None),
            Manner::Failing(status, retry_after) => (*status, retry_after.as_deref()),
            Manner::Refusing(word) if records.iter().any(|record| record.to_string().contains(word)) => (400, None),
            Manner::Small(most) if records.len() > *most => (413, None),
            Manner::Refusing(_) | Manner::Small(_) => (200, None),
        };
        // What stands in the list is taken, so it is not answered before.
        lock(&state).batches.push(Batch { headers: request.headers, records, is_taken: status == 200 });
        respond(&mut stream, status, retry_after, &body)
    })
}

/// The records of a batch: a line of JSON each, or the event in a document of `_bulk`, each behind a line with an action.
fn read(request: &Message) -> io::Result<Vec<Value>> {
    let plain = match request.headers.get("content-encoding").as_deref() {
        Some("gzip") => gunzip(&request.body)?,
        _ => request.body.clone(),
    };
    let text = String::from_utf8(plain).map_err(io::Error::other)?;
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).map_err(io::Error::other));
    let records = lines.filter_map(|line| match line {
        Ok(action) if action.get("create").is_some() => None,
        Ok(line) => Some(match line.pointer("/event/original").and_then(Value::as_str) {
            Some(original) => serde_json::from_str(original).map_err(io::Error::other),
            None => Ok(line),
        }),
        Err(error) => Some(Err(error)),
    });
    records.collect()
}

/// What the machine's own gzip makes of it.
fn gunzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut gzip = Command::new("gzip").arg("-dc").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let (mut stdin, bytes) = (gzip.stdin.take(), bytes.to_vec());
    let writer = thread::spawn(move || stdin.as_mut().map_or(Ok(()), |stdin| stdin.write_all(&bytes)));
    let output = gzip.wait_with_output()?;
    writer.join().map_err(|_| io::Error::other("the writer panicked"))??;
    if output.status.success() { Ok(output.stdout) } else { Err(io::Error::other("gzip does not read it")) }
}

fn respond(stream: &mut TcpStream, status: u16, retry_after: Option<&str>, body: &str) -> io::Result<()> {
    let retry_after = retry_after.map(|value| format!("retry-after: {value}\r\n")).unwrap_or_default();
    write!(stream, "HTTP/1.1 {status} Answer\r\ncontent-length: {}\r\nconnection: close\r\n{retry_after}\r\n{body}", body.len())?;
    stream.flush()
}
