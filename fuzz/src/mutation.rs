//! Mutations of seeds that are the same in each run.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The words that are spliced in: what means something to one of the readers.
const WORDS: [&[u8]; 24] = [
    b"Bearer ",
    b"access_token=",
    b"session=",
    b"; ",
    b", ",
    b"&",
    b"?",
    b"#",
    b"/../",
    b"//",
    b"%2f",
    b"%2e%2e",
    b"%25",
    b";x=1",
    b"\\",
    b"\0",
    b"\xff",
    b"\"",
    b"{}",
    b"[]",
    b"null",
    b"-1e308",
    b".",
    b"=",
];

/// An endless, repeatable run of inputs made out of seeds.
#[derive(Debug)]
pub struct Mutations {
    seeds: Vec<Vec<u8>>,
    state: u64,
}

/// The seeds of a target, in order.
///
/// # Errors
/// When there are none.
pub fn seeds(target: &str) -> Result<Vec<Vec<u8>>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    let entries = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    files.sort();
    files.iter().map(|file| fs::read(file).with_context(|| file.display().to_string())).collect()
}

impl Mutations {
    /// Mutations of these seeds.
    #[must_use]
    pub const fn new(seeds: Vec<Vec<u8>>) -> Self {
        Self { seeds, state: 0x9e37_79b9_7f4a_7c15 }
    }

    /// A number below a limit that is not zero (xorshift64).
    fn below(&mut self, limit: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        usize::try_from(self.state >> 1).unwrap_or(0) % limit.max(1)
    }

    fn any_seed(&mut self) -> Vec<u8> {
        let index = self.below(self.seeds.len());
        self.seeds.get(index).cloned().unwrap_or_default()
    }
}

impl Iterator for Mutations {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut input = self.any_seed();
        for _ in 0..=self.below(4) {
            let at = self.below(input.len() + 1);
            let end = (at + self.below(16)).min(input.len());
            match self.below(7) {
                0 if at < input.len() => input[at] ^= 1 << self.below(8),
                1 if at < input.len() => input[at] = u8::try_from(self.below(256)).unwrap_or(0),
                2 => drop(input.drain(at..end)),
                3 => {
                    let word = WORDS[self.below(WORDS.len())];
                    drop(input.splice(at..at, word.iter().copied()));
                }
                4 => {
                    let part = input[at..end].to_vec();
                    drop(input.splice(at..at, part));
                }
                5 => {
                    let other = self.any_seed();
                    let from = self.below(other.len() + 1);
                    input.truncate(at);
                    input.extend(&other[from..]);
                }
                _ => input.truncate(at),
            }
        }
        Some(input)
    }
}
