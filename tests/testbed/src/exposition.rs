//! The text that Prometheus scrapes.

/// One sample: a name, labels and a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The metric's name.
    pub name: String,
    /// Its labels in the order they stand.
    pub labels: Vec<(String, String)>,
    /// Its value.
    pub value: f64,
}

/// A parsed exposition.
#[derive(Debug, Clone, Default)]
pub struct Exposition(Vec<Sample>);

impl Exposition {
    /// Read the text format, version 0.0.4. Lines that are not samples are left out.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self(text.lines().filter(|line| !line.starts_with('#')).filter_map(sample).collect())
    }

    /// The samples with this name and at least these labels.
    pub fn samples<'a>(&'a self, name: &'a str, labels: &'a [(&'a str, &'a str)]) -> impl Iterator<Item = &'a Sample> {
        self.0
            .iter()
            .filter(move |sample| sample.name == name && labels.iter().all(|(key, value)| sample.label(key) == Some(value)))
    }

    /// The sum of the samples with this name and at least these labels; zero when there is none.
    #[must_use]
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.samples(name, labels).map(|sample| sample.value).sum()
    }

    /// All samples.
    pub fn iter(&self) -> impl Iterator<Item = &Sample> {
        self.0.iter()
    }
}

impl Sample {
    /// The value of a label.
    #[must_use]
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

fn sample(line: &str) -> Option<Sample> {
    let (series, value) = line.rsplit_once(' ')?;
    let value = value.parse().ok()?;
    let Some((name, labels)) = series.split_once('{') else {
        return Some(Sample { name: series.to_owned(), labels: Vec::new(), value });
    };
    let mut rest = labels.strip_suffix('}')?;
    let mut labels = Vec::new();
    while let Some((key, after)) = rest.split_once("=\"") {
        let (text, after) = quoted(after)?;
        labels.push((key.to_owned(), text));
        rest = after.strip_prefix(',').unwrap_or(after);
    }
    Some(Sample { name: name.to_owned(), labels, value })
}

/// The text up to the closing quote with its escapes undone, and what follows the quote.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut plain = String::new();
    let mut characters = text.chars();
    loop {
        match characters.next()? {
            '"' => return Some((plain, characters.as_str())),
            '\\' => match characters.next()? {
                'n' => plain.push('\n'),
                other => plain.push(other),
            },
            other => plain.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "# TYPE requests counter\nrequests{rule=\"a\",reason=\"x,\\\"y\\\"\"} 2\nrequests{rule=\"b\",} 3\nup 1\n\n";

    #[test]
    fn sums_the_samples_that_have_the_labels() {
        let exposition = Exposition::parse(TEXT);
        assert_eq!(exposition.sum("requests", &[]), 5.0);
        assert_eq!(exposition.sum("requests", &[("rule", "a"), ("reason", "x,\"y\"")]), 2.0);
        assert_eq!(exposition.sum("requests", &[("rule", "c")]), 0.0);
        assert_eq!(exposition.sum("up", &[]), 1.0);
        assert_eq!(exposition.iter().count(), 3);
    }
}
