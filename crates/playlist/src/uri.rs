use std::fmt::Write;

/// A path as a URI reference: everything but unreserved characters, `/` and the harmless part of the sub-delimiters
/// is percent-encoded (RFC 3986 2.1). `:` is, too, because a first segment that holds one would read as a scheme.
pub fn encode_path(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => out.push(char::from(byte)),
            b'-' | b'.' | b'_' | b'~' | b'/' | b'+' | b'=' | b'@' | b'!' | b'*' | b',' | b'$' => {
                out.push(char::from(byte))
            }
            _ => write!(out, "%{byte:02X}").unwrap_or_default(), // writing to a String cannot fail
        }
    }
    out
}

/// The path `to` as seen from the file `from`; both relative to the same root, `/`-separated, without `.` and `..`.
pub fn relative(from: &str, to: &str) -> String {
    let mut folders: Vec<&str> = from.split('/').collect();
    folders.pop();
    let target: Vec<&str> = to.split('/').collect();
    // The last part of the target is its file name and is never shared.
    let shared = folders.iter().zip(target.split_last().map_or(&[][..], |(_, dirs)| dirs));
    let shared = shared.take_while(|(a, b)| a == b).count();
    let up = "../".repeat(folders.len() - shared);
    up + &target.into_iter().skip(shared).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_mislead_a_player_is_encoded() {
        assert_eq!(encode_path("live/cam-1_a.ts"), "live/cam-1_a.ts");
        assert_eq!(encode_path("a b?c#d%e\"f:g\n"), "a%20b%3Fc%23d%25e%22f%3Ag%0A");
        assert_eq!(encode_path("直播"), "%E7%9B%B4%E6%92%AD");
    }

    #[test]
    fn relative_paths() {
        assert_eq!(relative("live/a.m3u8", "live/a-0.ts"), "a-0.ts");
        assert_eq!(relative("live/a.m3u8", "live/a/0.ts"), "a/0.ts");
        assert_eq!(relative("live/x/a.m3u8", "ts/a-0.ts"), "../../ts/a-0.ts");
        assert_eq!(relative("a.m3u8", "b.ts"), "b.ts");
    }
}
