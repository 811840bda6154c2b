//! The index finds what asking each rule in turn finds, whatever the rules and the request are.

use super::*;
use crate::matcher::Matcher;

fn one_of(values: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(values).prop_map(str::to_owned)
}

fn some_of(values: &'static [&'static str]) -> impl Strategy<Value = Option<Vec<String>>> {
    prop::option::weighted(0.3, prop::collection::vec(one_of(values), 1..3))
}

fn template() -> impl Strategy<Value = String> {
    let segments = prop::collection::vec(one_of(&["a", "b", "c", "*", "caf%C3%A9", "x:y", "c*", "*c"]), 0..4);
    (segments, one_of(&["", "", "/", "/**"])).prop_map(|(segments, end)| {
        let path: String = segments.iter().map(|segment| format!("/{segment}")).collect();
        if path.is_empty() && end.is_empty() { "/".to_owned() } else { path + &end }
    })
}

fn rule() -> impl Strategy<Value = Value> {
    let paths = prop::option::weighted(0.8, prop::collection::vec(template(), 1..3));
    let around = (
        some_of(&["h", "api.h", "*.h", "*.api.h", "x.y"]),
        some_of(&["GET", "POST"]),
        some_of(&["r", "s"]),
        prop::option::weighted(0.2, one_of(&["1", "2"])),
    );
    (paths, around, one_of(&["public", "optional", "required", "required", "denied"]), prop::bool::weighted(0.2)).prop_map(
        |(paths, (hosts, methods, routes, header), access, shadow)| {
            let mut matching = serde_json::Map::new();
            for (key, list) in [("paths", paths), ("hosts", hosts), ("methods", methods), ("routes", routes)] {
                matching.extend(list.map(|list| (key.to_owned(), json!(list))));
            }
            matching.extend(header.map(|value| ("headers".to_owned(), json!([{"name": "x-a", "exact": value}]))));
            let mut rule = json!({"access": access, "shadow": shadow && access != "public"});
            if !matching.is_empty() {
                rule["match"] = Value::Object(matching);
            }
            rule
        },
    )
}

fn target() -> impl Strategy<Value = Vec<u8>> {
    let segment = one_of(&["a", "b", "c", "cab", "bc", "d", "", "caf%c3%a9", "x%3Ay", "x:y", "%61", "..", ".", "a;p", "b%2fc"]);
    let plain = prop::collection::vec(segment, 0..5);
    prop_oneof![
        8 => plain.prop_map(|segments| format!("/{}", segments.join("/")).into_bytes()),
        1 => targets(),
        1 => Just(b"*".to_vec()),
    ]
}

fn sent() -> impl Strategy<Value = (Request, Route)> {
    let headers = prop::collection::vec(one_of(&["1", "2", "1,2"]), 0..3);
    let route = (prop::option::of(one_of(&["r", "s", "t"])), prop::option::weighted(0.1, one_of(&["rule-0", "rule-3", "none"])));
    (one_of(&["GET", "post", "PUT", "P T"]), one_of(&["h", "api.h", "b.api.h", "x.y", "other", "a@h"]), target(), headers, route)
        .prop_map(|(method, host, target, headers, (name, rule))| {
            let mut pairs = vec![(":method", method.into_bytes()), (":authority", host.into_bytes()), (":path", target)];
            pairs.extend(headers.into_iter().map(|value| ("x-a", value.into_bytes())));
            (Request::new(Headers::from_pairs(pairs)), Route { name, rule: rule.map(String::into_bytes), ..Route::default() })
        })
}

/// What the first rules that match are, asked one after another, for a request with one meaning.
fn asked_in_turn(set: &RuleSet, request: &Request, route: &Route) -> String {
    let (mut others, mut shadow) = (String::new(), None);
    let describe = |first: &Rule, others: &str, shadow: Option<&Rule>| {
        format!("{}{others}{}", first.name(), shadow.map(|rule| format!(" ({})", rule.name())).unwrap_or_default())
    };
    for rule in &set.rules {
        match (rule.matches(request, route.name.as_deref()), rule.is_shadow()) {
            (Some(true), true) => shadow = shadow.or(Some(rule)),
            (Some(true), false) => return describe(rule, &others, shadow),
            (None, false) => others.push_str(&format!("+{}", rule.name())),
            (None, true) | (Some(false), _) => {}
        }
    }
    describe(&set.default, &others, shadow)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_index_finds_what_asking_each_rule_finds(
        rules in prop::collection::vec(rule(), 0..12),
        requests in prop::collection::vec(sent(), 1..8),
    ) {
        let document = json!({"rules": rules});
        let (set, _) = compile(&document).unwrap();
        let everything = Index::of(vec![Matcher::default(); set.rules.len()].iter());
        let (slow, _) = compile(&document).unwrap();
        let slow = RuleSet { index: everything, ..slow };
        for (request, route) in &requests {
            let found = on_route(&set, request, route);
            prop_assert_eq!(&found, &on_route(&slow, request, route), "{:?} {:?}", request, route);
            let selection = set.select(request, route);
            if route.rule.is_none() && let Ok(Selection { is_ambiguous, .. }) = selection
                && (!is_ambiguous || request.path().is_some_and(|path| !path.is_ambiguous()) && request.host().is_some() && request.method().is_some())
            {
                let (_, names) = found.split_once(' ').unwrap();
                prop_assert_eq!(names, asked_in_turn(&set, request, route), "{:?} {:?}", request, route);
            }
        }
    }
}
