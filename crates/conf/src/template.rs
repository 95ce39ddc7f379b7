//! Path templates: the variables of srs-interfaces 5.9 in the values of directives.

/// Replaces `[…]` by what `value` gives for it; unknown ones stay. One pass: a name that looks like a variable is not
/// replaced again.
pub fn fill_template(template: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some(start) = rest.find('[') {
        let (before, tail) = rest.split_at(start);
        out.push_str(before);
        let end = tail.find(']').map_or(tail.len(), |end| end + 1);
        let (variable, after) = tail.split_at(end);
        out.push_str(&value(variable).unwrap_or_else(|| variable.to_owned()));
        rest = after;
    }
    out + rest
}

/// The part of a date that a variable stands for, in the language of `strftime`; `None` for other variables.
pub fn date_format(variable: &str) -> Option<&'static str> {
    Some(match variable {
        "[2006]" => "%Y",
        "[01]" => "%m",
        "[02]" => "%d",
        "[15]" => "%H",
        "[04]" => "%M",
        "[05]" => "%S",
        "[999]" => "%3f",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_not_filled_again() {
        let value = |variable: &str| (variable == "[app]").then(|| "[stream]".to_owned());
        assert_eq!(fill_template("a/[app]/[stream].[x", value), "a/[stream]/[stream].[x");
    }
}
