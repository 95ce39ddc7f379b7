//! Older forms of the language, rewritten before anything else looks at the tree.
//!
//! Most are the same directive at another place: the place is the `formerly` of its description. The others
//! change shape and are written out below. Every rewrite leaves a warning that shows the form of today.

use crate::directive::{Directive, directives};
use crate::scope::Reading;
use crate::tree::{Statement, Word};

/// Rewrites the older forms in a whole configuration.
pub(crate) fn modernise(statements: &mut Vec<Statement>, reading: &Reading<'_>) {
    for vhost in blocks(statements, "vhost") {
        refer(vhost, reading);
        forward(vhost, reading);
        for rtc in blocks(vhost, "rtc") {
            by_word(rtc, ("aac", "transcode"), "rtmp_to_rtc", reading);
            by_word(rtc, ("bframe", "keep"), "keep_bframe", reading);
        }
    }
    for row in directives() {
        for old in row.formerly {
            let old: Vec<&str> = old.split('.').collect();
            let new: Vec<&str> = row.path.split('.').collect();
            relocate(statements, &old, &new, row, reading);
        }
    }
}

/// The children of every block of that name.
fn blocks<'a>(
    statements: &'a mut [Statement],
    name: &'a str,
) -> impl Iterator<Item = &'a mut Vec<Statement>> {
    statements
        .iter_mut()
        .filter(move |statement| statement.name.text == name)
        .filter_map(|statement| statement.block.as_mut())
}

/// Moves the statements at one path to another, in every block that both paths share.
fn relocate(
    statements: &mut Vec<Statement>,
    old: &[&str],
    new: &[&str],
    row: &Directive,
    reading: &Reading<'_>,
) {
    let (Some((old_head, old_rest)), Some((new_head, new_rest))) = (old.split_first(), new.split_first())
    else {
        return;
    };
    if old_head == new_head && !old_rest.is_empty() && !new_rest.is_empty() {
        for children in blocks(statements, old_head) {
            relocate(children, old_rest, new_rest, row, reading);
        }
        return;
    }
    if !new_rest.is_empty() || !old_rest.is_empty() {
        for mut moved in take(statements, old, row.is_block()) {
            announce(&moved, row, reading);
            moved.name.text = row.name().to_owned();
            put(statements, new, moved);
        }
        return;
    }
    for renamed in statements.iter_mut().filter(|statement| statement.name.text == *old_head) {
        announce(renamed, row, reading);
        renamed.name.text = row.name().to_owned();
    }
}

fn announce(statement: &Statement, row: &Directive, reading: &Reading<'_>) {
    reading.warn(
        &statement.name.span,
        format!("'{}' is an older form: write {}", statement.name.text, row.path),
    );
}

/// Removes and returns the statements at a path; blocks that become empty go too.
///
/// A statement whose shape does not fit (a block where a value is wanted) is another directive of the same
/// name, and stays.
fn take(statements: &mut Vec<Statement>, path: &[&str], block: bool) -> Vec<Statement> {
    let mut taken = Vec::new();
    let Some((head, rest)) = path.split_first() else {
        return taken;
    };
    if rest.is_empty() {
        taken.extend(
            statements.extract_if(.., |statement| {
                statement.name.text == *head && statement.block.is_some() == block
            }),
        );
        return taken;
    }
    statements.retain_mut(|statement| {
        let Some(children) = statement.block.as_mut().filter(|_| statement.name.text == *head) else {
            return true;
        };
        let before = taken.len();
        taken.extend(take(children, rest, block));
        taken.len() == before || !children.is_empty()
    });
    taken
}

/// Adds a statement at a path, below the first blocks of its names or new ones.
fn put(statements: &mut Vec<Statement>, path: &[&str], statement: Statement) {
    let Some((head, rest)) = path.split_first().filter(|(_, rest)| !rest.is_empty()) else {
        statements.push(statement);
        return;
    };
    let known = statements.iter().position(|block| block.name.text == *head);
    let at = known.unwrap_or_else(|| {
        let name = Word { text: (*head).to_owned(), span: statement.name.span.clone() };
        statements.push(Statement { name, args: Vec::new(), block: Some(Vec::new()) });
        statements.len() - 1
    });
    if let Some(block) = statements.get_mut(at) {
        put(block.block.get_or_insert_default(), rest, statement);
    }
}

/// `refer a b;`, `refer_play a;`, `refer_publish a;` are lists of a switched-on `refer` block.
fn refer(vhost: &mut Vec<Statement>, reading: &Reading<'_>) {
    for (old, new) in [("refer", "all"), ("refer_play", "play"), ("refer_publish", "publish")] {
        listed(vhost, old, ["refer", new], reading);
    }
}

/// `forward a b;` is the destination of a switched-on `forward` block.
fn forward(vhost: &mut Vec<Statement>, reading: &Reading<'_>) {
    listed(vhost, "forward", ["forward", "destination"], reading);
}

/// Turns `old words;` into `block { enabled on; name words; }`.
fn listed(vhost: &mut Vec<Statement>, old: &str, [block, name]: [&str; 2], reading: &Reading<'_>) {
    for mut statement in take(vhost, &[old], false) {
        reading.warn(
            &statement.name.span,
            format!("'{old}' with values is an older form: write {block} {{ enabled on; {name} …; }}"),
        );
        let word = |text: &str| Word { text: text.to_owned(), span: statement.name.span.clone() };
        let enabled = Statement { name: word("enabled"), args: vec![word("on")], block: None };
        put(vhost, &[block, "enabled"], enabled);
        name.clone_into(&mut statement.name.text);
        put(vhost, &[block, name], statement);
    }
}

/// A directive with words of its own becomes a switch that is on for one of them.
fn by_word(children: &mut [Statement], (old, on): (&str, &str), new: &str, reading: &Reading<'_>) {
    for statement in children.iter_mut().filter(|statement| statement.name.text == old) {
        let value = if statement.arg0() == on { "on" } else { "off" };
        reading.warn(&statement.name.span, format!("'{old}' is an older form: write {new} {value}"));
        new.clone_into(&mut statement.name.text);
        let word = Word { text: value.to_owned(), span: statement.name.span.clone() };
        statement.args = vec![word];
    }
}
