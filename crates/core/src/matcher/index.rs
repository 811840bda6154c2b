//! Which of many matchers may match a request, found without asking each.
//!
//! Matchers are grouped by the routes or else the hosts that they name, and stand in each group in a tree of path segments. What
//! is found is never too little; whether a matcher does match, it says itself.

use std::collections::BTreeMap;

use super::Matcher;
use super::host_pattern::HostPattern;
use super::path_template::{PathTemplate, Segment};
use crate::path;
use crate::request::Request;

/// The places of matchers in a list, by what they look at.
#[derive(Debug, Default)]
pub struct Index {
    routes: Branches,
    hosts: Branches,
    /// By the end of the host's name, which begins with a dot.
    below: Branches,
    rest: Node,
}

/// By the bytes of a text. One kind of map serves all texts: each would be in a module as its own code.
type Branches = BTreeMap<Box<[u8]>, Node>;

/// A place in the tree: some segments have been read.
#[derive(Debug, Default)]
struct Node {
    /// By what the next segment stands for.
    literals: Branches,
    any: Option<Box<Node>>,
    /// Matchers whose path ends here.
    ends: Vec<usize>,
    /// Matchers for every path that goes on from here.
    open: Vec<usize>,
}

impl Index {
    /// The index of a list of matchers.
    #[must_use]
    pub fn of<'a>(matchers: impl Iterator<Item = &'a Matcher>) -> Self {
        let mut index = Self::default();
        for (place, matcher) in matchers.enumerate() {
            if let Some(routes) = &matcher.routes {
                routes.iter().for_each(|route| branch(&mut index.routes, route.as_bytes()).add(matcher, place));
            } else if let Some(hosts) = &matcher.hosts {
                for host in hosts {
                    let (group, name) = match host {
                        HostPattern::Exact(name) => (&mut index.hosts, name),
                        HostPattern::Below(suffix) => (&mut index.below, suffix),
                    };
                    branch(group, name.as_bytes()).add(matcher, place);
                }
            } else {
                index.rest.add(matcher, place);
            }
        }
        index
    }

    /// Visit the places of all matchers that may match a request on this route, if its path is this one; in no order, and some
    /// more than once. A host that cannot be read may be any.
    pub fn visit(&self, request: &Request, route_name: Option<&str>, path: Option<&str>, visit: &mut impl FnMut(usize)) {
        self.rest.visit_path(path, visit);
        if let Some(node) = route_name.and_then(|route| self.routes.get(route.as_bytes())) {
            node.visit_path(path, visit);
        }
        if self.hosts.is_empty() && self.below.is_empty() {
            return;
        }
        let Some(host) = request.host() else {
            return self.hosts.values().chain(self.below.values()).for_each(|node| node.visit_path(path, visit));
        };
        if let Some(node) = self.hosts.get(host.as_bytes()) {
            node.visit_path(path, visit);
        }
        for (dot, _) in host.match_indices('.') {
            if let Some(node) = host.get(dot..).and_then(|suffix| self.below.get(suffix.as_bytes())) {
                node.visit_path(path, visit);
            }
        }
    }
}

/// The branch for a text, which may be a new one.
fn branch<'a>(branches: &'a mut Branches, text: &[u8]) -> &'a mut Node {
    branches.entry(text.into()).or_default()
}

impl Node {
    fn add(&mut self, matcher: &Matcher, place: usize) {
        match &matcher.paths {
            None => self.open.push(place),
            Some(templates) => templates.iter().for_each(|template| self.add_template(template, place)),
        }
    }

    fn add_template(&mut self, template: &PathTemplate, place: usize) {
        let mut node = self;
        // A trailing slash counts for nothing where a template matches broadly.
        for segment in template.segments_without_slash() {
            node = match segment {
                Segment::Literal { decoded, .. } => branch(&mut node.literals, decoded),
                Segment::Affix { .. } | Segment::Any | Segment::Parameter(_) => node.any.get_or_insert_default(),
            };
        }
        if template.is_open() { node.open.push(place) } else { node.ends.push(place) }
    }

    fn visit_path(&self, path: Option<&str>, visit: &mut impl FnMut(usize)) {
        let Some(path) = path else { return self.open.iter().copied().for_each(visit) };
        let path = path.strip_prefix('/').unwrap_or(path);
        let path = path.strip_suffix('/').unwrap_or(path);
        self.visit_segments(if path.is_empty() { None } else { Some(path) }, visit);
    }

    /// Visit what is for the segments that are left.
    fn visit_segments(&self, rest: Option<&str>, visit: &mut impl FnMut(usize)) {
        self.open.iter().copied().for_each(&mut *visit);
        let Some(rest) = rest else { return self.ends.iter().copied().for_each(visit) };
        let (segment, rest) = rest.split_once('/').map_or((rest, None), |(segment, rest)| (segment, Some(rest)));
        let literal = if segment.contains('%') {
            self.literals.get(&*path::decode(segment.as_bytes()))
        } else {
            self.literals.get(segment.as_bytes())
        };
        if let Some(node) = literal {
            node.visit_segments(rest, visit);
        }
        if let Some(node) = &self.any {
            node.visit_segments(rest, visit);
        }
    }
}
