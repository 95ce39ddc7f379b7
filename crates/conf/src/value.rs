//! From words to typed values, by the rules of the language.
//!
//! Nothing here fails: as in SRS a number is its leading digits and junk is 0, so that every existing file
//! keeps its meaning. What was odd about the words is returned beside the value and becomes a warning.

use std::path::PathBuf;
use std::time::Duration;

use crate::directive::Kind;
use crate::endpoint::Endpoint;

/// What is strange about a value and what is used instead, as the end of a sentence.
pub(crate) type Odd = Option<String>;

/// A type that a directive can have.
pub(crate) trait Value: Sized {
    /// Reads the lines of a directive (one, except for repeatable directives); none for an absent one
    /// without a default.
    fn read(kind: Kind, lines: &[Vec<String>]) -> (Self, Odd);
}

fn word(lines: &[Vec<String>]) -> &str {
    lines.first().and_then(|words| words.first()).map_or("", String::as_str)
}

impl<T: Value> Value for Option<T> {
    fn read(kind: Kind, lines: &[Vec<String>]) -> (Option<T>, Odd) {
        if word(lines).is_empty() {
            return (None, None);
        }
        let (value, odd) = T::read(kind, lines);
        (Some(value), odd)
    }
}

impl Value for bool {
    fn read(kind: Kind, lines: &[Vec<String>]) -> (bool, Odd) {
        let word = word(lines);
        let value = match kind {
            Kind::UnlessOff => word != "off",
            _ => word == "on",
        };
        let used = if value { "on" } else { "off" };
        let odd = !matches!(word, "on" | "off" | "");
        (value, odd.then(|| format!("is neither on nor off: {used} is used")))
    }
}

impl Value for String {
    fn read(kind: Kind, lines: &[Vec<String>]) -> (String, Odd) {
        let word = word(lines);
        let odd = match kind {
            Kind::Choice(names) if !word.is_empty() && !names.contains(&word) => {
                Some(format!("is none of {}", names.join(", ")))
            }
            _ => None,
        };
        (word.to_owned(), odd)
    }
}

impl Value for PathBuf {
    fn read(_: Kind, lines: &[Vec<String>]) -> (PathBuf, Odd) {
        (PathBuf::from(word(lines)), None)
    }
}

impl Value for Vec<String> {
    fn read(_: Kind, lines: &[Vec<String>]) -> (Vec<String>, Odd) {
        (lines.first().cloned().unwrap_or_default(), None)
    }
}

/// One command line per statement, without the name of the directive.
impl Value for Vec<Vec<String>> {
    fn read(_: Kind, lines: &[Vec<String>]) -> (Vec<Vec<String>>, Odd) {
        (lines.iter().map(|words| words.iter().skip(1).cloned().collect()).collect(), None)
    }
}

impl Value for Endpoint {
    fn read(_: Kind, lines: &[Vec<String>]) -> (Endpoint, Odd) {
        let parsed = Endpoint::parse(word(lines));
        let odd = match (parsed, lines.first().map_or(0, Vec::len)) {
            (None, _) => Some("is no [ip:]port: nothing can listen there".to_owned()),
            (Some(first), 2..) => Some(format!("has several endpoints: only {first} is used")),
            _ => None,
        };
        (parsed.unwrap_or(Endpoint::any(0)), odd)
    }
}

impl Value for Vec<Endpoint> {
    fn read(_: Kind, lines: &[Vec<String>]) -> (Vec<Endpoint>, Odd) {
        let words = lines.first().map(Vec::as_slice).unwrap_or_default();
        let parsed: Vec<Endpoint> = words.iter().filter_map(|word| Endpoint::parse(word)).collect();
        let odd = parsed.len() < words.len();
        (parsed, odd.then(|| "has a word that is no [ip:]port: that word is ignored".to_owned()))
    }
}

impl Value for f64 {
    fn read(_: Kind, lines: &[Vec<String>]) -> (f64, Odd) {
        let (value, odd) = number(word(lines));
        (value, odd)
    }
}

macro_rules! integers {
    ($($ty:ty),*) => {$(
        impl Value for $ty {
            fn read(_: Kind, lines: &[Vec<String>]) -> ($ty, Odd) {
                let (whole, odd) = integer(word(lines));
                match <$ty>::try_from(whole) {
                    Ok(value) => (value, odd),
                    Err(_) => {
                        let used = if whole < 0 { <$ty>::MIN } else { <$ty>::MAX };
                        (used, Some(format!("is out of range: {used} is used")))
                    }
                }
            }
        }
    )*};
}
integers!(i32, i64, u16, u32, u64, usize);

impl Value for Duration {
    fn read(kind: Kind, lines: &[Vec<String>]) -> (Duration, Odd) {
        let word = word(lines);
        let ((value, odd), seconds) = match kind {
            Kind::Millis => (whole(word), 0.001),
            Kind::FloatMillis => (number(word), 0.001),
            Kind::FloatSeconds => (number(word), 1.0),
            _ => (whole(word), 1.0),
        };
        if value < 0.0 {
            return (Duration::ZERO, Some("is negative: 0 is used".to_owned()));
        }
        let length = (value * seconds).min(LONGEST.as_secs_f64());
        (Duration::from_secs_f64(length), odd)
    }
}

/// No duration is longer: ten years, so that adding two never overflows.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

fn whole(word: &str) -> (f64, Odd) {
    let (value, odd) = integer(word);
    #[expect(clippy::cast_precision_loss, reason = "durations are capped far below 2^52")]
    let value = value as f64;
    (value, odd)
}

fn integer(word: &str) -> (i64, Odd) {
    let digits = digits_of(word, false);
    let value = digits.parse().unwrap_or(if digits.len() < 19 {
        0
    } else if digits.starts_with('-') {
        i64::MIN
    } else {
        i64::MAX
    });
    (value, partly(word, digits, &value.to_string()))
}

fn number(word: &str) -> (f64, Odd) {
    let digits = digits_of(word, true);
    let value = leading_float(word);
    (value, partly(word, digits, &value.to_string()))
}

fn partly(word: &str, digits: &str, used: &str) -> Odd {
    (digits.len() < word.len()).then(|| format!("is not a number: {used} is used"))
}

/// The leading number of a word, 0 for none.
pub(crate) fn leading_float(word: &str) -> f64 {
    digits_of(word, true).parse().unwrap_or(0.0)
}

/// The leading part of the word that is a decimal number.
fn digits_of(word: &str, fraction: bool) -> &str {
    let mut dot = !fraction;
    let end = word
        .char_indices()
        .find(|&(at, c)| match c {
            '0'..='9' => false,
            '+' | '-' => at != 0,
            '.' if !dot => {
                dot = true;
                false
            }
            _ => true,
        })
        .map_or(word.len(), |(at, _)| at);
    word.split_at(end).0
}

/// A closed set of words: an enum whose unknown words mean one of its values.
macro_rules! choice {
    (
        $(#[doc = $head:literal])*
        pub enum $Choice:ident else $fallback:ident {
            $($(#[doc = $doc:literal])* $variant:ident = $name:literal,)*
        }
    ) => {
        $(#[doc = $head])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $Choice {
            $($(#[doc = $doc])* $variant,)*
        }

        impl $Choice {
            /// The words of the configuration file.
            pub const NAMES: &'static [&'static str] = &[$($name),*];

            /// The word of the configuration file.
            pub fn name(self) -> &'static str {
                match self {
                    $($Choice::$variant => $name,)*
                }
            }
        }

        impl $crate::value::Value for $Choice {
            fn read(_: $crate::directive::Kind, lines: &[Vec<String>]) -> ($Choice, $crate::value::Odd) {
                match lines.first().and_then(|words| words.first()).map_or("", String::as_str) {
                    $($name => ($Choice::$variant, None),)*
                    _ => ($Choice::$fallback, Some(format!(
                        "is none of {}: {} is used", $Choice::NAMES.join(", "), $Choice::$fallback.name(),
                    ))),
                }
            }
        }
    };
}
pub(crate) use choice;
