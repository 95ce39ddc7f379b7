//! The grammar: words, blocks, quotes, comments, includes, and their limits.

use std::io;
use std::path::Path;

use headwater_conf::{MAX_NESTING, MAX_WORD, MAX_WORDS, Statement, nearest, parse, print};
use proptest::prelude::*;

fn no_files(_: &Path) -> io::Result<Vec<u8>> {
    Err(io::ErrorKind::NotFound.into())
}

fn tree(text: &str) -> Vec<Statement> {
    match parse("t", text.as_bytes(), &no_files) {
        Ok(tree) => tree,
        Err(error) => panic!("{text}: {error}"),
    }
}

/// The tree in one line: `name arg … ;` or `name arg … { … }`.
fn shape(statements: &[Statement]) -> String {
    let one = |statement: &Statement| {
        let words =
            [&statement.name].into_iter().chain(&statement.args).map(|word| format!("<{}>", word.text));
        let end = statement.block.as_deref().map_or(";".to_owned(), |block| format!("{{{}}}", shape(block)));
        words.collect::<String>() + &end
    };
    statements.iter().map(one).collect()
}

#[test]
fn words_end_at_blanks_semicolons_and_opening_braces() {
    let cases = [
        ("listen 1935;", "<listen><1935>;"),
        ("a b\tc;d{e on;}", "<a><b><c>;<d>{<e><on>;}"),
        ("play{gop_cache off;}", "<play>{<gop_cache><off>;}"),
        ("a off};", "<a><off}>;"),
        ("a } ;", "<a><}>;"),
        ("a b#c 19'35 x\"y;", "<a><b#c><19'35><x\"y>;"),
        ("a \\n \\;", "<a><\\n><\\>;"),
        ("a { } }", "error"),
        ("a \"b c;{\" 'd\"e';", "<a><b c;{><d\"e>;"),
        ("a \"\" b '';", "<a><b>;"),
        ("\"\" a 1;", "<a><1>;"),
        ("# c\na 1; # c ; {\n# c\nb { # c\n}", "<a><1>;<b>{}"),
        ("a 1;\r\nb 2;\r\n", "<a><1>;<b><2>;"),
        ("\u{feff}a 1;", "<a><1>;"),
        ("", ""),
    ];
    for (text, expected) in cases {
        let found = parse("t", text.as_bytes(), &no_files).map_or("error".to_owned(), |tree| shape(&tree));
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn errors_name_the_line_and_column_of_the_word_to_blame() {
    let cases = [
        ("a 1;\n ;", "t:2:2: ", "';' without a directive"),
        ("a 1;\n {", "t:2:2: ", "'{' without a directive"),
        ("a 1;\n}", "t:2:1: ", "closes nothing"),
        ("a {\n b 1;\n", "t:3:1: ", "ends inside the block 'a' of line 1"),
        ("a 1;\nb 2", "t:2:4: ", "ends inside 'b'"),
        ("a\n{ }", "t:1:1: ", "'a' has no ';' or '{' at the end of its line"),
        ("listen 1935 # c\n;", "t:1:1: ", "'listen' has no ';'"),
        ("a 'b\nc';", "t:1:3: ", "does not end on its line"),
        ("a 'b", "t:1:3: ", "never ends"),
        ("a 'b'c;", "t:1:6: ", "after a closing quote"),
        ("include;", "t:1:1: ", "include names no file"),
    ];
    for (text, place, what) in cases {
        let error = parse("t", text.as_bytes(), &no_files).unwrap_err().to_string();
        assert!(error.starts_with(place) && error.contains(what), "{text:?}: {error}");
    }
}

#[test]
fn bytes_that_are_no_utf8_stand_in_comments_without_harm() {
    let tree = parse("t", b"# \xd6\xd0\xce\xc4\nlisten 1935;", &no_files).unwrap();
    assert_eq!(shape(&tree), "<listen><1935>;");
}

#[test]
fn includes_stand_for_their_statements() {
    let read = |path: &Path| match path.to_str() {
        Some("a") => Ok(b"x 1; include b c;".to_vec()),
        Some("b") => Ok(b"y 2;".to_vec()),
        Some("c") => Ok(b"z { include b; }".to_vec()),
        _ => Err(io::ErrorKind::NotFound.into()),
    };
    let tree = parse("t", b"v { include a; } w;", &read).unwrap();
    assert_eq!(shape(&tree), "<v>{<x><1>;<y><2>;<z>{<y><2>;}}<w>;");
    let y = tree.first().and_then(|v| v.child("y")).unwrap();
    assert_eq!(y.name.span.to_string(), "b:1:1");
}

#[test]
fn an_include_that_includes_itself_or_is_not_whole_is_refused() {
    let read = |path: &Path| match path.to_str() {
        Some("loop") => Ok(b"include other;".to_vec()),
        Some("other") => Ok(b"include loop;".to_vec()),
        Some("half") => Ok(b"a {".to_vec()),
        Some(deeper) => Ok(format!("include {deeper}x;").into_bytes()),
        None => Err(io::ErrorKind::NotFound.into()),
    };
    let error = |text: &str| parse("t", text.as_bytes(), &read).unwrap_err().to_string();
    assert!(error("include loop;").contains("other:1:9: 'loop' includes itself"));
    assert!(error("include half; }").starts_with("half:1:4: "));
    assert!(error("include d;").contains("nested deeper"));
}

#[test]
fn size_nesting_and_words_are_bounded() {
    let error = |text: String| parse("t", text.as_bytes(), &no_files).unwrap_err().to_string();
    assert!(error("a {".repeat(MAX_NESTING + 1)).contains("nested deeper"));
    assert!(error("x".repeat(MAX_WORD + 1)).contains("longer than"));
    assert!(error("a;".repeat(MAX_WORDS + 1)).contains("words"));
    assert!(error(" ".repeat(headwater_conf::MAX_FILE + 1)).contains("at most"));
    let nested = "a {".repeat(MAX_NESTING) + &"}".repeat(MAX_NESTING);
    assert!(parse("t", nested.as_bytes(), &no_files).is_ok());
}

#[test]
fn the_nearest_name_is_a_small_mistake_away() {
    let names = ["listen", "max_connections", "chunk_size"];
    assert_eq!(nearest("lisetn", names), Some("listen"));
    assert_eq!(nearest("maxconnection", names), Some("max_connections"));
    assert_eq!(nearest("vhost", names), None);
    assert_eq!(nearest("", names), None);
}

/// A word the language can write: not empty, on one line, and if it has both quotes then nothing that needs them.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z_]{1,8}",
        "[a-z0-9\\[\\]/.:}#\\\\\"' ;{\t-]{1,6}"
            .prop_filter("both quotes in one word", |word| { !word.contains('\'') || !word.contains('"') }),
    ]
}

/// Words in quotes, as a line of a configuration begins.
fn words() -> impl Strategy<Value = String> {
    prop::collection::vec(word(), 1..4).prop_map(|words| {
        let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        words.join(" ").replace("\"include\"", "\"included\"")
    })
}

fn quoted(word: &str) -> String {
    if word.contains('"') { format!("'{word}'") } else { format!("\"{word}\"") }
}

/// Text of a configuration, written with every kind of word.
fn config() -> impl Strategy<Value = String> {
    let leaf = words().prop_map(|words| format!("{words};"));
    leaf.prop_recursive(4, 32, 4, |inner| {
        let block = (words(), prop::collection::vec(inner, 0..4));
        block.prop_map(|(words, inner)| format!("{words} {{ {} }}\n", inner.concat()))
    })
}

proptest! {
    #[test]
    fn printing_and_parsing_gives_the_same_tree(text in config()) {
        let tree = tree(&text);
        prop_assert_eq!(&parse("t", print(&tree).as_bytes(), &no_files).unwrap(), &tree);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(tree) = parse("t", &bytes, &no_files) {
            prop_assert_eq!(parse("t", print(&tree).as_bytes(), &no_files).unwrap(), tree);
        }
    }

    #[test]
    fn arbitrary_tokens_never_panic(text in "([a-z]{1,3}|[{};#\"' \n]|include ){0,60}") {
        if let Ok(tree) = parse("t", text.as_bytes(), &no_files) {
            prop_assert_eq!(parse("t", print(&tree).as_bytes(), &no_files).unwrap(), tree);
        }
    }

    #[test]
    fn loading_anything_never_panics(text in "(listen|vhost|v|play|hls|enabled|on|off|refer|forward|security|deny|[0-9.]{1,4}|[{};] ?|\n| ){0,60}") {
        let source = headwater_conf::Source::Text { name: "t".to_owned(), text };
        let loaded = headwater_conf::Conf::load(source, &headwater_conf::Env::empty());
        prop_assert!(loaded.is_ok() || loaded.is_err_and(|error| !error.to_string().is_empty()));
    }

    #[test]
    fn any_value_of_any_directive_loads_or_is_refused(at in any::<prop::sample::Index>(), value in "[-+.a-z0-9:/]{0,20}") {
        let row = at.get(headwater_conf::directives());
        let mut text = format!("{} {value};", row.name());
        for block in row.parent().rsplit('.').filter(|block| !block.is_empty()) {
            text = format!("{block} {{ {text} }}");
        }
        let source = headwater_conf::Source::Text { name: "t".to_owned(), text: format!("listen 1; {text}") };
        let loaded = headwater_conf::Conf::load(source, &headwater_conf::Env::empty());
        prop_assert!(loaded.is_ok() || loaded.is_err_and(|error| error.to_string().starts_with("t")|| row.name() == "include"));
    }
}
