//! What a stage fetches: the request, what came of it, and what is due.
//!
//! A fetch is a value like any other: whoever runs the stages sends it and gives the outcome back.

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use crate::stage::Message;

/// The number of something that a stage fetches; its meaning is the stage's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FetchId(pub usize);

/// A request that a stage wants to be sent: a GET, or a POST where there is something to post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// The number to give back with the outcome.
    pub id: FetchId,
    /// The proxy's cluster to send it to.
    pub cluster: Rc<str>,
    /// The `:scheme`.
    pub scheme: Rc<str>,
    /// The `:authority`.
    pub authority: Rc<str>,
    /// The `:path`.
    pub path: Rc<str>,
    /// When to give up.
    pub timeout: Duration,
    /// What is posted.
    pub post: Option<Post>,
}

/// The name of a header, in lower case, and its value.
pub type Header = (Rc<str>, Rc<str>);

/// What a POST carries. It may hold a secret, so debug output shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Post {
    /// The `content-type` of the body.
    pub content_type: &'static str,
    /// The `authorization`, when there is one.
    pub authorization: Option<Rc<str>>,
    /// Other headers.
    pub headers: Vec<Header>,
    /// The body.
    pub body: Rc<[u8]>,
}

impl fmt::Debug for Post {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Post").field("content_type", &self.content_type).finish_non_exhaustive()
    }
}

/// The longest body that a fetch may bring.
pub const MAX_FETCHED_BYTES: usize = 1024 * 1024;

/// What became of a fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchOutcome {
    /// The server answered. The body is cut after [`MAX_FETCHED_BYTES`] + 1 bytes.
    Answered {
        /// The status; 503 and 504 also stand for a refused connection and a timeout.
        status: u16,
        /// For how long the server says that the answer is good; absent when it does not say.
        max_age: Option<Duration>,
        /// After which time the server wants to be asked again; absent when it does not say.
        retry_after: Option<Duration>,
        /// The body.
        body: Vec<u8>,
    },
    /// There was no answer: the stream was reset.
    Lost,
    /// The proxy did not send the request: the cluster does not exist, or it has too many requests already.
    NotSent,
}

/// What is due of the things that a stage fetches.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// What to send. Each is in flight from here until its outcome is given to [`Stage::on_fetched`].
    pub fetches: Vec<Fetch>,
    /// What came, or failed, by another way: requests that wait for it are to be asked again.
    pub settled: Vec<FetchId>,
    /// What the operator should know.
    pub messages: Vec<Message>,
}
