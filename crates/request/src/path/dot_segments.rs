//! Removal of `.` and `..` (RFC 3986 section 5.2.4).

/// The path without dot segments; it begins with `/`, and ends with one where a dot segment stood last.
pub(super) fn remove(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut ends_with_slash = false;
    for segment in super::segments(path) {
        ends_with_slash = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => {
                kept.pop();
            }
            _ => kept.push(segment),
        }
    }
    if ends_with_slash {
        kept.push("");
    }
    let mut text = String::with_capacity(path.len().saturating_add(1));
    for segment in kept {
        text.push('/');
        text.push_str(segment);
    }
    if text.is_empty() {
        text.push('/');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removes_dot_segments_as_the_rfc_does() {
        for (path, expected) in [
            ("/", "/"),
            ("/a/b/c/./../../g", "/a/g"),
            ("/a/.", "/a/"),
            ("/a/..", "/"),
            ("/a/b/..", "/a/"),
            ("/..", "/"),
            ("/../../a", "/a"),
            ("/./a", "/a"),
            ("/a/..b/.c/...", "/a/..b/.c/..."),
            ("/a//../b", "/a/b"),
            ("/a/..//b", "//b"),
            ("/a/", "/a/"),
        ] {
            assert_eq!(remove(path), expected, "{path}");
            assert_eq!(remove(expected), expected, "{path}");
        }
    }
}
