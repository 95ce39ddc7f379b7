//! Query strings, decoded as every web client writes them.

/// Pairs looked at; further ones are ignored.
const PAIRS_MAX: usize = 64;

/// Longest value that is looked at, in bytes; longer ones are ignored. A stream name has at most 255.
const VALUE_MAX: usize = 1024;

/// The pairs of a query string. `+` is a space, `%xx` a byte; the first of equal keys counts.
#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(text: Option<&str>) -> Query {
        let pairs = text.unwrap_or_default().split(['&', ';']).filter(|pair| !pair.is_empty());
        let pair = |pair: &str| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (value.len() <= VALUE_MAX && key.len() <= VALUE_MAX).then(|| (decode(key), decode(value)))
        };
        Query(pairs.take(PAIRS_MAX).filter_map(pair).collect())
    }

    /// The value of `key`; empty when it has none or is not there.
    pub(crate) fn text(&self, key: &str) -> &str {
        self.0.iter().find(|(k, _)| k == key).map_or("", |(_, value)| value)
    }

    /// The value of `key`, if it has one.
    pub(crate) fn given(&self, key: &str) -> Option<String> {
        Some(self.text(key)).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    /// The leading digits of the value as C's `atoi` reads them; 0 when there are none.
    pub(crate) fn number(&self, key: &str) -> i64 {
        let text = self.text(key).trim_start();
        let digits = |c: char| c.is_ascii_digit();
        let end = text.char_indices().find(|&(at, c)| !(digits(c) || at == 0 && matches!(c, '-' | '+')));
        let number = end.map_or(text, |(at, _)| text.get(..at).unwrap_or_default());
        number.parse().unwrap_or_default()
    }
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => escaped(&mut rest).unwrap_or(b'%'),
            other => other,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The byte of two hexadecimal digits; leaves `rest` alone when they are not there.
fn escaped(rest: &mut std::str::Bytes<'_>) -> Option<u8> {
    let mut ahead = rest.clone();
    let high = char::from(ahead.next()?).to_digit(16)?;
    let low = char::from(ahead.next()?).to_digit(16)?;
    *rest = ahead;
    u8::try_from(high * 16 + low).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_decoded() {
        let query = Query::parse(Some("a=1%2B1&flag&b=x+y;c=%E4%BD%A0&a=2&d=100%&e=%zz"));
        assert_eq!(query.text("a"), "1+1", "the first counts");
        assert_eq!(query.text("flag"), "");
        assert_eq!(query.text("b"), "x y", "a key without a value shifts nothing");
        assert_eq!(query.text("c"), "你");
        assert_eq!((query.text("d"), query.text("e")), ("100%", "%zz"));
        assert_eq!(query.given("flag"), None);
    }

    #[test]
    fn numbers_are_read_as_c_does() {
        let query = Query::parse(Some("a=12abc&b=-5&c=x&d=99999999999999999999&e=+7"));
        let numbers = ["a", "b", "c", "d", "e", "none"].map(|key| query.number(key));
        assert_eq!(numbers, [12, -5, 0, 0, 7, 0]);
    }

    #[test]
    fn big_queries_are_cut() {
        let text = format!("{}z=1", "a=1&".repeat(1000));
        assert_eq!(Query::parse(Some(&text)).text("z"), "");
        assert_eq!(Query::parse(Some(&format!("a={}", "x".repeat(5000)))).text("a"), "");
        assert_eq!(Query::parse(None).text("a"), "");
    }
}
