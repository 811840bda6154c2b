use serde_json::json;

use super::*;
use crate::headers::Headers;

const CONDITION: &str = "match.headers[0]: has not exactly one condition; give one of `exact`, `in`, `prefix`, `suffix`, `contains`, \
                         `present`";

fn matcher(config: &serde_json::Value) -> Result<Matcher, String> {
    let config = MatchConfig::parse(config.to_string().as_bytes()).map_err(|error| error.to_string())?;
    Matcher::compile(&config, "match").map_err(|error| error.to_string())
}

fn request(method: &str, host: &str, path: &str) -> Request {
    Request::new(Headers::from_pairs([(":method", method), (":authority", host), (":path", path)]))
}

/// The readings in which a template matches a path: `E`xact, `B`road, `L`enient.
fn readings(config: &serde_json::Value, request: &Request) -> String {
    let matcher = matcher(config).unwrap();
    [(Reading::Exact, 'E'), (Reading::Broad, 'B'), (Reading::Lenient, 'L')]
        .into_iter()
        .filter(|(reading, _)| matcher.matches(request, None, *reading).is_some())
        .map(|(_, letter)| letter)
        .collect()
}

#[test]
fn templates_match_whole_segments() {
    for (template, path, expected) in [
        ("/", "/", "EBL"),
        ("/", "/a", ""),
        ("/orders", "/orders", "EBL"),
        ("/orders", "/orders/", "BL"),
        ("/orders/", "/orders/", "EBL"),
        ("/orders/", "/orders", "BL"),
        ("/orders", "/orders/7", ""),
        ("/orders", "/order", ""),
        ("/orders", "/ordersx", ""),
        ("/orders", "/Orders", ""),
        ("/orders", "/orders?x=/public", "EBL"),
        ("/orders/*", "/orders/7", "EBL"),
        ("/orders/*", "/orders/7/", "BL"),
        ("/orders/*", "/orders", ""),
        ("/orders/*", "/orders/", ""),
        ("/orders/*", "/orders/7/8", ""),
        ("/orders/{id}", "/orders/7", "EBL"),
        ("/orders/{id}", "/orders/", ""),
        ("/orders/{id}/approve", "/orders/7/approve", "EBL"),
        ("/orders/{id}/approve", "/orders//approve", ""),
        ("/a/**", "/a", "EBL"),
        ("/a/**", "/a/", "EBL"),
        ("/a/**", "/a/b/c", "EBL"),
        ("/a/**", "/ab", ""),
        ("/a/**", "/b", ""),
        ("/a*", "/ab", "EBL"),
        ("/a*", "/a", "EBL"),
        ("/a*", "/a%62", "EBL"),
        ("/a!*", "/a%21b", "BL"),
        ("/a*", "/a/b", ""),
        ("/a*", "/ba", ""),
        ("/a*/**", "/ab/c", "EBL"),
        ("/*.png", "/x.png", "EBL"),
        ("/*.png", "/x.png/", "BL"),
        ("/*.png", "/x.pngx", ""),
        ("/a*a", "/a", ""),
        ("/a*a", "/aba", "EBL"),
        ("/**", "/", "EBL"),
        ("/**", "/a/b", "EBL"),
        ("/**", "//a", "L"),
        ("/admin", "/%61dmin", "EBL"),
        ("/admin", "/a/../admin", "EBL"),
        ("/admin", "//admin", "L"),
        ("/admin", "/a/..%2fadmin", "L"),
        ("/admin", "/admin;x=1", "L"),
        ("/admin", "/%2561dmin", "L"),
        ("/admin", "/admin%00", "L"),
        ("/admin", "\\admin", "L"),
        ("/jobs/x:cancel", "/jobs/x:cancel", "EBL"),
        ("/jobs/x:cancel", "/jobs/x%3Acancel", "BL"),
        ("/caf%C3%A9", "/caf\u{e9}", "EBL"),
        ("/admin", "*", ""),
        ("/**", "*", "BL"),
    ] {
        let found = readings(&json!({"paths": [template]}), &request("GET", "h", path));
        assert_eq!(found, expected, "{template} on {path}");
    }
}

#[test]
fn hosts_and_methods_match() {
    for (config, method, host, expected) in [
        (json!({"hosts": ["api.example.com"]}), "GET", "API.Example.com.:443", "EBL"),
        (json!({"hosts": ["API.example.com"]}), "GET", "api.example.com", "EBL"),
        (json!({"hosts": ["api.example.com"]}), "GET", "xapi.example.com", ""),
        (json!({"hosts": ["*.example.com"]}), "GET", "api.example.com", "EBL"),
        (json!({"hosts": ["*.example.com"]}), "GET", "a.b.example.com", "EBL"),
        (json!({"hosts": ["*.example.com"]}), "GET", "example.com", ""),
        (json!({"hosts": ["*.example.com"]}), "GET", ".example.com", ""),
        (json!({"hosts": ["*.example.com"]}), "GET", "evil-example.com", ""),
        (json!({"hosts": ["*.example.com"]}), "GET", "api.example.com.evil.com", ""),
        (json!({"hosts": ["a", "b"]}), "GET", "b", "EBL"),
        (json!({"hosts": ["a"]}), "GET", "user@a", "L"),
        (json!({"hosts": ["[::1]"]}), "GET", "[::1]:80", "EBL"),
        (json!({"methods": ["POST"]}), "POST", "h", "EBL"),
        (json!({"methods": ["POST"]}), "post", "h", "BL"),
        (json!({"methods": ["POST"]}), "PoSt", "h", "BL"),
        (json!({"methods": ["POST"]}), "POSTX", "h", ""),
        (json!({"methods": ["POST"]}), "P\u{e9}", "h", "L"),
        (json!({"methods": ["GET", "POST"], "hosts": ["a"]}), "GET", "b", ""),
        (json!({"methods": ["GET"], "hosts": ["a"], "paths": ["/b"]}), "GET", "a", ""),
    ] {
        assert_eq!(readings(&config, &request(method, host, "/")), expected, "{config} on {method} {host}");
    }
}

#[test]
fn routes_match_by_their_exact_name() {
    let matcher = matcher(&json!({"routes": ["orders", "carts"]})).unwrap();
    assert!(matcher.needs_route_name());
    let request = request("GET", "h", "/");
    for (route, expected) in
        [(Some("orders"), true), (Some("carts"), true), (Some("Orders"), false), (Some(""), false), (None, false)]
    {
        for reading in [Reading::Exact, Reading::Broad, Reading::Lenient] {
            assert_eq!(matcher.matches(&request, route, reading).is_some(), expected, "{route:?}");
        }
    }
}

#[test]
fn headers_match_byte_by_byte_and_all_of_them() {
    let exact = json!([{"name": "X-Client", "exact": "app"}]);
    let inverted = json!([{"name": "x-client", "exact": "app", "invert": true}]);
    let present = json!([{"name": "x-client", "present": true}]);
    let absent = json!([{"name": "x-client", "present": false}]);
    let not_absent = json!([{"name": "x-client", "present": false, "invert": true}]);
    let any = json!([{"name": "x-client", "in": ["web", "app"]}]);
    let prefix = json!([{"name": "x-client", "prefix": "app/"}]);
    let suffix = json!([{"name": "x-client", "suffix": "/2"}]);
    let contains = json!([{"name": "x-client", "contains": "Linux"}]);
    let both = json!([{"name": "x-client", "exact": "app"}, {"name": "x-beta", "present": true}]);
    for (headers, sent, expected) in [
        (&exact, &[("x-client", &b"app"[..])][..], "EBL"),
        (&exact, &[("x-client", b"App")], ""),
        (&exact, &[("x-client", b"app2")], ""),
        (&exact, &[("x-client", b"app\xff")], ""),
        (&exact, &[], ""),
        (&exact, &[("x-client", b"app"), ("x-client", b"app")], "L"),
        (&exact, &[("x-client", b"web"), ("X-CLIENT", b"app")], "L"),
        (&exact, &[("x-client", b"web, app")], "L"),
        (&exact, &[("x-client", b"web"), ("x-client", b"tv")], ""),
        (&exact, &[("x-client", b"web,tv")], ""),
        (&exact, &[("x-client", b" app")], ""),
        (&inverted, &[("x-client", b"web")], "EBL"),
        (&inverted, &[("x-client", b"app")], ""),
        (&inverted, &[], "EBL"),
        (&inverted, &[("x-client", b"web"), ("x-client", b"tv")], "BL"),
        (&inverted, &[("x-client", b"web"), ("x-client", b"app")], "L"),
        (&inverted, &[("x-client", b"web,app")], "L"),
        (&present, &[("x-client", b"")], "EBL"),
        (&present, &[("x-client", b"a"), ("x-client", b"b")], "BL"),
        (&present, &[("x-other", b"a")], ""),
        (&absent, &[], "EBL"),
        (&absent, &[("x-client", b"")], ""),
        (&absent, &[("x-client", b"a"), ("x-client", b"b")], ""),
        (&not_absent, &[("x-client", b"")], "EBL"),
        (&not_absent, &[], ""),
        (&any, &[("x-client", b"app")], "EBL"),
        (&any, &[("x-client", b"tv")], ""),
        (&prefix, &[("x-client", b"app/2")], "EBL"),
        (&prefix, &[("x-client", b"app/2, web/1")], "EBL"),
        (&prefix, &[("x-client", b"web/1,app/2")], "L"),
        (&prefix, &[("x-client", b"app")], ""),
        (&suffix, &[("x-client", b"app/2")], "EBL"),
        (&suffix, &[("x-client", b"app/2\xff")], ""),
        (&contains, &[("x-client", b"Mozilla (X11, Linux)")], "EBL"),
        (&contains, &[("x-client", b"Linu")], ""),
        (&contains, &[("x-client", b"Mozilla (Windows)")], ""),
        (&both, &[("x-client", b"app"), ("x-beta", b"")], "EBL"),
        (&both, &[("x-client", b"app")], ""),
    ] {
        let pseudo = [(":method", &b"GET"[..]), (":authority", b"h"), (":path", b"/")];
        let request = Request::new(Headers::from_pairs(pseudo.into_iter().chain(sent.iter().copied())));
        assert_eq!(readings(&json!({"headers": headers}), &request), expected, "{headers} on {sent:?}");
    }
}

#[test]
fn names_the_first_condition_that_is_not_met() {
    let config = json!({
        "hosts": ["a.example"], "paths": ["/a"], "methods": ["GET"], "routes": ["r"], "headers": [{"name": "x", "exact": "1"}],
    });
    let matcher = matcher(&config).unwrap();
    let all = [(":method", "GET"), (":authority", "a.example"), (":path", "/a"), ("x", "1")];
    for (case, header, value, route, expected) in [
        ("all are met", "x", "1", "r", None),
        ("host", ":authority", "b.example", "s", Some(Condition::Hosts)),
        ("method", ":method", "PUT", "s", Some(Condition::Methods)),
        ("route", ":path", "/b", "s", Some(Condition::Routes)),
        ("header", "x", "2", "r", Some(Condition::Headers)),
        ("path", ":path", "/b", "r", Some(Condition::Paths)),
        ("ambiguous path", ":path", "//a", "r", Some(Condition::Paths)),
    ] {
        let pairs = all.map(|(name, given)| (name, if name == header { value } else { given }));
        let request = Request::new(Headers::from_pairs(pairs));
        for reading in [Reading::Exact, Reading::Broad] {
            assert_eq!(matcher.unmet(&request, Some(route), reading), expected, "{case}");
            assert_eq!(matcher.matches(&request, Some(route), reading).is_some(), expected.is_none(), "{case}");
        }
    }
}

#[test]
fn absent_match_is_everything() {
    let matcher = Matcher::default();
    assert!(matcher.is_everything() && !matcher.needs_route_name());
    assert!(matcher.matches(&request("GET", "h", "/a"), None, Reading::Exact).is_some());
    assert!(matcher.matches(&request("OPTIONS", "h", "*"), None, Reading::Exact).is_none());
    assert!(matcher.matches(&Request::default(), None, Reading::Broad).is_some());
}

#[test]
fn parameters_have_the_values_of_their_segments() {
    let matcher = matcher(&json!({"paths": ["/orders/{orderId}/items/{item}", "/o/{orderId}"]})).unwrap();
    assert_eq!(matcher.parameters(), ["orderId"]);
    for (path, order, item) in [
        ("/orders/7/items/a%20b", Some("7"), Some("a%20b")),
        ("/orders/%37/items/x?y", Some("7"), Some("x")),
        ("/o/7", Some("7"), None),
        ("/o/7/", Some("7"), None),
        ("//o//7", Some("7"), None),
    ] {
        let request = request("GET", "h", path);
        let parameters = matcher.matches(&request, None, Reading::Lenient).unwrap();
        assert_eq!((parameters.get("orderId"), parameters.get("item")), (order, item), "{path}");
    }
}

#[test]
fn refuses_patterns_that_cannot_be_meant() {
    for (config, expected) in [
        (json!({}), "match: is empty; leave `match` out to match every request"),
        (json!({"paths": []}), "match.paths: is empty, so nothing would match; leave it out to match everything"),
        (json!({"hosts": []}), "match.hosts: is empty, so nothing would match; leave it out to match everything"),
        (json!({"headers": []}), "match.headers: is empty, so nothing would match; leave it out to match everything"),
        (json!({"headers": [{"name": "x-a"}]}), CONDITION),
        (json!({"headers": [{"name": "x-a", "exact": "a", "present": true}]}), CONDITION),
        (
            json!({"headers": [{"name": ":path", "exact": "a"}]}),
            "match.headers[0].name: is a pseudo-header; use `hosts`, `paths` and `methods`",
        ),
        (json!({"headers": [{"name": "Host", "exact": "a"}]}), "match.headers[0].name: is the host; use `hosts`"),
        (
            json!({"headers": [{"name": "x a", "exact": "a"}]}),
            "match.headers[0].name: is not a header name; for example x-client",
        ),
        (
            json!({"headers": [{"name": "x-a", "prefix": ""}]}),
            "match.headers[0].prefix: is empty; `present` asks whether the header was sent",
        ),
        (json!({"headers": [{"name": "x-a", "in": []}]}), "match.headers[0].in: is empty, so nothing would match"),
        (json!({"headers": [{"exact": "a"}]}), "headers[0].name: is missing"),
        (json!({"path": ["/"]}), "path: unknown key; did you mean `paths`?"),
        (json!({"hosts": ["*"]}), "match.hosts[0]: is `*`; leave `hosts` out to match every host"),
        (json!({"hosts": ["https://a"]}), "match.hosts[0]: is a URL; write the host name alone"),
        (json!({"hosts": ["a/b"]}), "match.hosts[0]: is a URL; write the host name alone"),
        (
            json!({"hosts": ["a", "api.*.com"]}),
            "match.hosts[1]: has a `*` that is not its first label; write `*.example.com` for every host below example.com",
        ),
        (
            json!({"hosts": ["*example.com"]}),
            "match.hosts[0]: has a `*` that is not its first label; write `*.example.com` for every host below example.com",
        ),
        (
            json!({"hosts": ["a:80"]}),
            "match.hosts[0]: has a port or a trailing dot; write the host name alone; every port is matched",
        ),
        (json!({"hosts": ["b\u{fc}cher.de"]}), "match.hosts[0]: is not ASCII; write an international name in its `xn--` form"),
        (json!({"hosts": [""]}), "match.hosts[0]: is not a host name; write for example `api.example.com` or `*.example.com`"),
        (json!({"hosts": ["a b"]}), "match.hosts[0]: is not a host name; write for example `api.example.com` or `*.example.com`"),
        (json!({"methods": ["*"]}), "match.methods[0]: is `*`; leave `methods` out to match every method"),
        (json!({"methods": ["GET", "post"]}), "match.methods[1]: is not in upper case; write `POST`"),
        (json!({"methods": ["GET "]}), "match.methods[0]: is not a method; write for example `GET`"),
        (json!({"methods": [""]}), "match.methods[0]: is not a method; write for example `GET`"),
        (json!({"routes": [""]}), "match.routes[0]: is empty; write the `name` of a route"),
    ] {
        assert_eq!(matcher(&config), Err(expected.to_owned()), "{config}");
    }
}

#[test]
fn refuses_templates_that_cannot_be_meant() {
    let brace = "has a brace inside a segment; a parameter is a whole segment: `/orders/{orderId}`";
    let name =
        "has a parameter whose name is not one; a name begins with a letter or `_`, and holds letters, digits, `_` and `-`";
    let star = "has two `*` in a segment; `**` is a segment of its own, the last one";
    let rest = "has a `**` that is not its last segment; `**` stands for the rest of the path";
    let slash = "does not begin with `/`; write for example `/orders/{orderId}`; `/**` matches every path";
    let query = "has a query or a fragment; a path is matched without them";
    let empty = "has an empty segment; a path with `//` is ambiguous and matches no template";
    let never = "would never match a path in its normal spelling; ";
    let ambiguous = format!("{never}`\\`, `;`, `%2F` and the like make a path ambiguous, which only the default is for");
    let dots = format!("{never}`.` and `..` are resolved before a path is matched");
    for (template, expected) in [
        ("", slash),
        ("orders", slash),
        ("*", slash),
        ("**", slash),
        ("https://h/orders", slash),
        ("/orders?x=1", query),
        ("/orders#top", query),
        ("//orders", empty),
        ("/orders//x", empty),
        ("/orders//**", empty),
        ("/a/**/b", rest),
        ("/**/", rest),
        ("/a**", star),
        ("/*a*", star),
        ("/.*", &dots),
        ("/a%20*", "has a `*` beside an escape; only plain text can stand beside a `*`"),
        ("/{id", brace),
        ("/id}", brace),
        ("/{a}{b}", name),
        ("/x{id}", brace),
        ("/{}", name),
        ("/{a=**}", name),
        ("/{7}", name),
        ("/:id/x", "has a segment that begins with `:`; a parameter is written `{id}`"),
        ("/{id}/x/{id}", "has two parameters of one name; give the second `{id}` another name"),
        ("/a/../b", &dots),
        ("/a/.", &dots),
        ("/a%2Fb", &ambiguous),
        ("/a;b", &ambiguous),
        ("/a\\b", &ambiguous),
        ("/a%", &ambiguous),
        ("/a%252e", &ambiguous),
        ("/%61dmin", "would never match a path in its normal spelling; write the segment as `admin`"),
        ("/a b", "would never match a path in its normal spelling; write the segment as `a%20b`"),
        ("/a%3a", "would never match a path in its normal spelling; write the segment as `a%3A`"),
        ("/caf\u{e9}", "would never match a path in its normal spelling; write the segment as `caf%C3%A9`"),
    ] {
        let found = matcher(&json!({"paths": ["/", template]}));
        assert_eq!(found, Err(format!("match.paths[1]: {expected}")), "{template}");
    }
}
