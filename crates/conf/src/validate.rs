//! What makes a configuration unusable, and what the user should know about one that is usable.

use std::collections::HashSet;

use crate::conf::Conf;
use crate::directive::{Directive, Origin, Status, children, directive, directives};
use crate::env::{Env, PROCESS_VARIABLES};
use crate::error::ConfError;
use crate::nearest::nearest;
use crate::scope::Reading;
use crate::section::join;
use crate::sections::{DvrFormat, Vhost};
use crate::tree::{Span, Statement, first};

/// Checks the names in the tree, and the rules that are about how it is written.
pub(crate) fn check_tree(statements: &[Statement], reading: &Reading<'_>) -> Result<(), ConfError> {
    check_names(statements, "", reading)?;
    for vhost in named(statements, "vhost") {
        one_http_remux(vhost)?;
        no_ts_beside_hls(vhost)?;
        distinct_ingests(vhost)?;
    }
    check_listen_words(statements)
}

/// Every name must be one of its block's, or the block one that takes any.
fn check_names(statements: &[Statement], path: &str, reading: &Reading<'_>) -> Result<(), ConfError> {
    let open = directive(path).is_some_and(|block| block.open);
    mention_duplicates(statements, path, reading);
    for statement in statements {
        let name = &statement.name;
        let inner = join(path, &name.text);
        let Some(row) = directive(&inner) else {
            let what = unknown(&name.text, path);
            if !open {
                return Err(ConfError::invalid(&name.span, what));
            }
            if children(path).next().is_some() {
                reading.warn(&name.span, format!("{what}; it is ignored"));
            }
            continue;
        };
        mention(row, statement, reading);
        if row.is_block() {
            check_names(statement.children(), &inner, reading)?;
        }
    }
    Ok(())
}

/// Of two blocks of one name the first is used, where the block is not one that may stand several times; of two
/// vhosts of one name too.
fn mention_duplicates(statements: &[Statement], path: &str, reading: &Reading<'_>) {
    let mut seen = HashSet::new();
    for statement in statements {
        let name = &statement.name;
        let single = directive(&join(path, &name.text)).is_some_and(|row| row.is_block() && !row.repeated);
        let vhost = path.is_empty() && name.text == "vhost";
        let key = (&name.text, if vhost { statement.arg0() } else { "" });
        if (single || vhost) && !seen.insert(key) {
            reading.warn(&name.span, format!("a second '{}' of the same name is ignored", name.text));
        }
    }
}

fn unknown(name: &str, path: &str) -> String {
    let block = if path.is_empty() { "the root".to_owned() } else { format!("'{path}'") };
    let near = nearest(name, children(path).map(Directive::name));
    let hint = match (near, elsewhere(name)) {
        (Some(near), _) => format!(": did you mean '{near}'?"),
        (None, Some(path)) => format!(": '{path}' has that name"),
        (None, None) => String::new(),
    };
    format!("unknown directive '{name}' in {block}{hint}")
}

/// A directive of exactly that name in another block.
fn elsewhere(name: &str) -> Option<&'static str> {
    directives().iter().find(|row| row.name() == name && name != "enabled").map(|row| row.path.as_str())
}

/// Says so if the directive does nothing: unless its block is off, or says the same for all of it, or what is
/// written is what happens anyway.
fn mention(row: &Directive, statement: &Statement, reading: &Reading<'_>) {
    let inside_unserved = directive(row.parent()).is_some_and(|block| !block.served);
    let harmless = row.status == Status::Unused && !row.default.is_empty() && statement.arg0() == row.default;
    if row.served
        || harmless
        || inside_unserved
        || matches!(row.name(), "include" | "is_full")
        || switched_off(row, statement)
    {
        return;
    }
    reading.warn(&statement.name.span, without_effect(row));
}

fn without_effect(row: &Directive) -> String {
    match (row.origin, row.status) {
        (Origin::OlderSrs, _) => format!("'{}' belongs to an older release: it has no effect", row.path),
        (_, Status::Unused) => format!("'{}' is accepted for compatibility: it has no effect", row.path),
        _ => format!("'{}' is not served by this version of Headwater yet: it has no effect", row.path),
    }
}

/// Whether a block is off by its own `enabled`.
fn switched_off(row: &Directive, statement: &Statement) -> bool {
    let Some(switch) = directive(&join(&row.path, "enabled")) else {
        return false;
    };
    let word = statement.child("enabled").map(Statement::arg0).filter(|word| !word.is_empty());
    match switch.default {
        "on" => word == Some("off"),
        _ => word != Some("on"),
    }
}

fn named<'a, 'n>(
    statements: &'a [Statement],
    name: &'n str,
) -> impl Iterator<Item = &'a Statement> + use<'a, 'n> {
    statements.iter().filter(move |statement| statement.name.text == name)
}

fn is_on(statement: &Statement) -> bool {
    statement.child("enabled").is_some_and(|enabled| enabled.arg0() == "on")
}

fn one_http_remux(vhost: &Statement) -> Result<(), ConfError> {
    match named(vhost.children(), "http_remux").nth(1) {
        Some(second) => Err(ConfError::invalid(
            &second.name.span,
            format!("vhost '{}' has more than one http_remux: keep one", vhost.arg0()),
        )),
        None => Ok(()),
    }
}

fn no_ts_beside_hls(vhost: &Statement) -> Result<(), ConfError> {
    let hls = vhost.child("hls").is_some_and(is_on);
    let mount = vhost.child("http_remux").filter(|remux| is_on(remux)).and_then(|remux| remux.child("mount"));
    match mount.filter(|mount| hls && mount.arg0().ends_with(".ts")) {
        Some(mount) => Err(ConfError::invalid(
            &mount.name.span,
            format!(
                "vhost '{}' serves .ts segments by hls: mount http_remux at .flv, or turn hls off",
                vhost.arg0()
            ),
        )),
        None => Ok(()),
    }
}

fn distinct_ingests(vhost: &Statement) -> Result<(), ConfError> {
    let mut seen = HashSet::new();
    match named(vhost.children(), "ingest").find(|ingest| !seen.insert(ingest.arg0())) {
        Some(again) => Err(ConfError::invalid(
            &again.name.span,
            format!(
                "vhost '{}' has two ingests of the id '{}': give each its own",
                vhost.arg0(),
                again.arg0()
            ),
        )),
        None => Ok(()),
    }
}

/// Every word of an RTMP `listen` must be an endpoint.
fn check_listen_words(statements: &[Statement]) -> Result<(), ConfError> {
    let modern = statements.iter().filter(|block| block.name.text == "rtmp").flat_map(Statement::children);
    let listens = statements.iter().chain(modern).filter(|statement| statement.name.text == "listen");
    for word in listens.flat_map(|statement| &statement.args) {
        if crate::Endpoint::parse(&word.text).is_none() {
            return Err(ConfError::invalid(&word.span, format!("listen '{}': {NO_ENDPOINT}", word.text)));
        }
    }
    Ok(())
}

const NO_ENDPOINT: &str =
    "write a port from 1 to 65535, or a numeric address and a port as 127.0.0.1:1935 or [::1]:1935";

/// Checks the values in effect, from wherever they came.
pub(crate) struct Rules<'a> {
    pub(crate) conf: &'a Conf,
    pub(crate) reading: &'a Reading<'a>,
    /// The tree, to name the lines of a vhost.
    pub(crate) statements: &'a [Statement],
    /// Name of the configuration, where no line is to blame.
    pub(crate) name: &'a str,
    /// Without a file an RTMP listener is not required.
    pub(crate) env_only: bool,
}

impl Rules<'_> {
    pub(crate) fn check(&self) -> Result<(), ConfError> {
        self.root()?;
        self.listeners()?;
        self.http()?;
        self.vhosts()
    }

    fn root(&self) -> Result<(), ConfError> {
        let conf = self.conf;
        self.require(self.given("is_full") != Some("on"), "is_full", "this file is a list of every directive, not a configuration: remove is_full and what you do not need")?;
        self.require(
            !conf.listen.is_empty() || self.env_only,
            "listen",
            "no 'listen': write 'listen 1935;', or set SRS_LISTEN",
        )?;
        self.require(conf.max_connections > 0, "max_connections", "max_connections must be at least 1")?;
        self.require(
            conf.heartbeat.interval.as_secs() > 0,
            "heartbeat.interval",
            "heartbeat.interval is shorter than a second: write whole seconds, as 10",
        )?;
        self.require(
            conf.stats.network >= 0,
            "stats.network",
            "stats.network counts local addresses from 0: it cannot be negative",
        )?;
        self.require(!(conf.asprocess && conf.daemon), "asprocess", "asprocess needs 'daemon off;'")?;
        let file = conf.log.tank != crate::LogTank::File || !conf.log.file.as_os_str().is_empty();
        self.require(file, "srs_log_file", "srs_log_tank is file but srs_log_file is empty: name a file")
    }

    fn listeners(&self) -> Result<(), ConfError> {
        let conf = self.conf;
        let endpoints = [
            ("http_api", conf.http_api.enabled, conf.http_api.listen),
            ("http_api.https", conf.http_api.https.enabled, conf.http_api.https.listen),
            ("http_server", conf.http_server.enabled, conf.http_server.listen),
            ("http_server.https", conf.http_server.https.enabled, conf.http_server.https.listen),
            ("rtmps", conf.rtmps.enabled, conf.rtmps.listen),
            ("rtsp_server", conf.rtsp_server.enabled, conf.rtsp_server.listen),
            ("exporter", conf.exporter.enabled, conf.exporter.listen),
            ("console", conf.console.enabled, conf.console.listen),
            ("console.https", conf.console.https.enabled, conf.console.https.listen),
        ];
        for (block, enabled, endpoint) in endpoints {
            let path = format!("{block}.listen");
            self.require(!enabled || endpoint.port != 0, &path, &format!("{path}: {NO_ENDPOINT}"))?;
        }
        Ok(())
    }

    fn http(&self) -> Result<(), ConfError> {
        let (api, server) = (&self.conf.http_api, &self.conf.http_server);
        let (http, https) = (api.listen == server.listen, api.https.listen == server.https.listen);
        self.require(
            !http || https,
            "http_api.https.listen",
            "http_api and http_server share a port, so their https must listen on one port too",
        )?;
        self.require(!https || http, "http_api.https.listen", "http_api.https and http_server.https share a port, so http_api and http_server must share one too")?;
        self.require(
            api.enabled || !api.https.enabled,
            "http_api.https.enabled",
            "http_api.https needs 'http_api { enabled on; }'",
        )?;
        self.require(
            server.enabled || !server.https.enabled,
            "http_server.https.enabled",
            "http_server.https needs 'http_server { enabled on; }'",
        )
    }

    fn vhosts(&self) -> Result<(), ConfError> {
        for vhost in self.conf.vhosts() {
            if vhost.forward.enabled && !vhost.publish.kickoff_for_idle.is_zero() {
                let what = format!(
                    "vhost '{}' forwards its streams, so publish.kickoff_for_idle must be 0",
                    vhost.name
                );
                return Err(match self.line_of(&vhost.name, "forward") {
                    Some(span) => ConfError::invalid(span, what),
                    None => ConfError::Whole { name: self.name.to_owned(), what },
                });
            }
            self.recording(vhost)?;
        }
        Ok(())
    }

    /// SRS refuses every publish of a vhost with another plan (3083); here the configuration is refused.
    fn recording(&self, vhost: &Vhost) -> Result<(), ConfError> {
        let (name, dvr) = (&vhost.name, &vhost.dvr);
        if !dvr.enabled {
            return Ok(());
        }
        let again = "is no plan any more (3083): recordings are never appended to";
        let known = match &*dvr.dvr_plan {
            "session" | "segment" => Ok(()),
            "append" => {
                Err(format!("vhost '{name}': dvr_plan 'append' {again}; write 'session' or 'segment'"))
            }
            plan => Err(format!(
                "vhost '{name}': there is no dvr_plan '{plan}' (3083): write 'session' or 'segment'"
            )),
        };
        let unfit = match dvr.dvr_format {
            DvrFormat::Auto => None,
            DvrFormat::Flv => Some(".mp4"),
            DvrFormat::Mp4 | DvrFormat::Fmp4 => Some(".flv"),
        };
        let fits = match unfit.filter(|suffix| dvr.dvr_path.ends_with(suffix)) {
            Some(suffix) => Err(format!(
                "vhost '{name}': dvr_format '{}' does not fit a dvr_path that ends with '{suffix}': change one of them",
                dvr.dvr_format.name()
            )),
            None => Ok(()),
        };
        let place = self.line_of(name, "dvr").cloned();
        known.and(fits).map_err(|what| match place {
            Some(span) => ConfError::invalid(&span, what),
            None => ConfError::Whole { name: self.name.to_owned(), what },
        })
    }

    fn line_of(&self, vhost: &str, child: &str) -> Option<&Span> {
        let vhost = named(self.statements, "vhost").find(|statement| statement.arg0() == vhost)?;
        vhost.child(child).map(|statement| &statement.name.span)
    }

    /// First word given to a root directive in the file.
    fn given(&self, name: &str) -> Option<&str> {
        first(self.statements, name).map(Statement::arg0)
    }

    fn require(&self, fine: bool, path: &str, what: &str) -> Result<(), ConfError> {
        if fine {
            return Ok(());
        }
        let place = self.reading.given.borrow().get(path).cloned();
        Err(ConfError::Whole { name: place.unwrap_or_else(|| self.name.to_owned()), what: what.to_owned() })
    }
}

/// Warns of values that work but are not what they seem.
pub(crate) fn advise(conf: &Conf, reading: &Reading<'_>) {
    let place = |path: &str| reading.given.borrow().get(path).cloned().unwrap_or_else(|| path.to_owned());
    if conf.daemon {
        let what = "Headwater stays in the foreground: write 'daemon off;', and let systemd or your supervisor start it";
        reading.warn(place("daemon"), what);
    }
    let sizes = conf.vhosts().iter().filter_map(|vhost| vhost.chunk_size);
    for size in sizes.chain([conf.chunk_size]).filter(|size| !CHUNK_SIZES.contains(size)) {
        reading.warn(
            place("chunk_size"),
            format!("chunk_size {size} is outside {} to {}", CHUNK_SIZES.start(), CHUNK_SIZES.end()),
        );
    }
}

/// Chunk sizes that every RTMP peer can be expected to take, in bytes.
const CHUNK_SIZES: std::ops::RangeInclusive<u32> = 128..=65536;

/// Warns of `SRS_` variables that override nothing.
pub(crate) fn check_env(env: &Env, reading: &Reading<'_>) {
    let known = || directives().iter().flat_map(|row| row.env.iter().map(move |name| (name.as_str(), row)));
    for name in env.names().filter(|name| name.starts_with("SRS_") && env.value(name).is_some()) {
        if PROCESS_VARIABLES.iter().any(|(variable, _)| *variable == name) {
            continue;
        }
        match known().find(|(variable, _)| *variable == name) {
            Some((_, row)) if !row.served => reading.warn(name, without_effect(row)),
            Some(_) => {}
            // Without a near name it is somebody else's: container platforms set SRS_PORT and the like.
            None => {
                if let Some(near) = nearest(name, known().map(|(variable, _)| variable)) {
                    reading.warn(name, format!("no directive has this variable: did you mean {near}?"));
                }
            }
        }
    }
}
