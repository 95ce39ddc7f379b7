//! The reference page of the configuration is generated from the directive table, and must be up to date.

use headwater_conf::{Directive, Origin, PROCESS_VARIABLES, Status, children, directives};
use std::path::PathBuf;

#[test]
fn the_reference_page_is_up_to_date() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/configuration.md");
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/reference/configuration.md is stale: run this test with UPDATE_DOCS=1");
}

const HEAD: &str = "\
# Configuration reference

<!-- Generated from crates/conf/src/sections; run `UPDATE_DOCS=1 cargo nextest run -p headwater-conf` to refresh. -->

Every directive of the configuration file, block by block. A directive without a value of its own in the file has
the default; a variable beats the file.

| Column | Meaning |
| --- | --- |
| Change | When a new value takes effect: L at each use, C for the next connection or stream, A at once, R at the next start. |
| Status | stable, experimental, deprecated, or no effect: accepted for compatibility. |
| Served | Whether this version acts on it. What is not served yet loads with a warning. |
| Since | Empty for SRS 7.0.18; later SRS 7, or Headwater's own. |

A vhost variable applies to every vhost. Where a directive has several variables the first that is set wins; lists are
separated by spaces, and an empty variable counts as absent.

`on or off`: where the default is off only `on` turns it on, where it is on only `off` turns it off.

";

fn page() -> String {
    let mut page = HEAD.to_owned();
    section(&mut page, "");
    let blocks = directives().iter().filter(|row| row.is_block() && children(&row.path).next().is_some());
    for block in blocks {
        section(&mut page, &block.path);
    }
    older_forms(&mut page);
    page.push_str("## Variables of the process\n\n| Variable | Meaning |\n| --- | --- |\n");
    for (name, meaning) in PROCESS_VARIABLES {
        page.push_str(&format!("| `{name}` | {meaning} |\n"));
    }
    page
}

fn section(page: &mut String, path: &str) {
    match directives().iter().find(|row| row.path == path) {
        None => page.push_str("## Root\n\n"),
        Some(block) => {
            page.push_str(&format!("## `{path}`\n\n{}{}\n\n", one_line(block.doc), traits(block)));
        }
    }
    page.push_str(
        "| Directive | Value | Default | Variable | Change | Status | Served | Since | Meaning |\n",
    );
    page.push_str("| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
    for row in children(path).filter(|row| row.origin != Origin::OlderSrs) {
        page.push_str(&line(row));
    }
    page.push('\n');
}

fn traits(block: &Directive) -> String {
    let repeated = if block.repeated { " May stand several times." } else { "" };
    let open =
        if block.open { " Children of other names are ignored with a warning, not refused." } else { "" };
    format!("{repeated}{open}")
}

fn line(row: &Directive) -> String {
    let code = |text: &str| if text.is_empty() { String::new() } else { format!("`{}`", cell(text)) };
    let env: Vec<String> = row.env.iter().map(|name| code(name)).collect();
    let since = match row.origin {
        Origin::Srs | Origin::OlderSrs => "",
        Origin::LaterSrs => "later SRS 7",
        Origin::Headwater => "Headwater",
    };
    let fields = [
        code(row.name()),
        cell(&row.kind.to_string()),
        code(row.default),
        env.join(", "),
        cell(row.reload.trim_start_matches('-')),
        status(row.status).to_owned(),
        if row.served { "yes".to_owned() } else { "no".to_owned() },
        since.to_owned(),
        cell(row.doc),
    ];
    format!("| {} |\n", fields.join(" | "))
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Stable => "stable",
        Status::Experimental => "experimental",
        Status::Deprecated => "deprecated",
        Status::Unused => "no effect",
        Status::Guard => "guard",
    }
}

fn cell(text: &str) -> String {
    one_line(text).replace('|', "\\|")
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn older_forms(page: &mut String) {
    page.push_str("## Older forms\n\nThese load with a warning that names today's form.\n\n| Older | Today |\n| --- | --- |\n");
    for row in directives() {
        for old in row.formerly {
            page.push_str(&format!("| `{old}` | `{}` |\n", row.path));
        }
    }
    page.push_str("| `vhost.refer a b;`, `vhost.refer_play a;`, `vhost.refer_publish a;` | `vhost.refer { enabled on; all a b; play a; publish a; }` |\n");
    page.push_str("| `vhost.forward a b;` | `vhost.forward { enabled on; destination a b; }` |\n");
    for row in directives().iter().filter(|row| row.origin == Origin::OlderSrs) {
        page.push_str(&format!("| `{}` | no effect |\n", row.path));
    }
    page.push('\n');
}
