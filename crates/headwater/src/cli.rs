use crate::machine;
use clap::Parser;
use headwater_conf::{Conf, Env, Loaded, Source};
use headwater_server::{Origin, Start, run_server};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The SRS release whose interfaces this server has; what `srs -v` prints.
const SRS_VERSION: &str = headwater_server::SRS_VERSION;

/// Live-video server and platform in one binary.
///
/// Without arguments it serves everything on embedded defaults, keeps its state in ./data and prints where to publish
/// and where to watch. With -c it is the media server alone, as SRS. `headwater bench` is the load generator.
#[derive(Debug, Parser)]
#[command(name = "headwater", disable_version_flag = true, disable_help_flag = true)]
struct Cli {
    /// Configuration file in the srs.conf language.
    #[arg(short = 'c', value_name = "FILE")]
    config: Option<PathBuf>,
    /// Test the configuration, print the result, and exit.
    #[arg(short = 't')]
    test: bool,
    /// Read no file: SRS_* variables are the configuration.
    #[arg(short = 'e')]
    env_only: bool,
    /// Print the version and exit.
    #[arg(short = 'v', short_alias = 'V', long = "version")]
    version: bool,
    /// Print the server's signature and exit.
    #[arg(short = 'g', short_alias = 'G')]
    signature: bool,
    /// Print this help and exit.
    #[arg(short = 'h', short_alias = '?', long = "help")]
    help: bool,
    /// SRS prints its help when it gets a word it does not know.
    #[arg(hide = true)]
    words: Vec<OsString>,
}

/// Runs the command line; the first argument is the program's name.
pub(crate) fn run(args: Vec<OsString>) -> ExitCode {
    machine::raise_open_files();
    if args.get(1).is_some_and(|a| a == "bench") {
        return headwater_bench::run(args.into_iter().skip(1));
    }
    let as_srs = args.first().map(Path::new).and_then(Path::file_name).is_some_and(|name| name == "srs");
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => {
            error.print().ok(); // nobody listens on a closed terminal
            return ExitCode::from(255);
        }
    };
    dispatch(&cli, as_srs, args.len() <= 1)
}

#[expect(clippy::print_stdout, reason = "answers of the command line")]
fn dispatch(cli: &Cli, as_srs: bool, bare: bool) -> ExitCode {
    let wants_help =
        cli.help || !cli.words.is_empty() || (as_srs && bare && !Env::from_process().is_env_only());
    if cli.version {
        match as_srs {
            true => println!("{SRS_VERSION}"),
            false => println!("headwater {} (SRS {SRS_VERSION})", env!("CARGO_PKG_VERSION")),
        }
        ExitCode::SUCCESS
    } else if cli.signature {
        println!("Headwater/{} (SRS/{SRS_VERSION})", env!("CARGO_PKG_VERSION"));
        ExitCode::SUCCESS
    } else if wants_help {
        println!("{}", <Cli as clap::CommandFactory>::command().render_long_help());
        ExitCode::SUCCESS
    } else {
        load_and_run(cli, as_srs)
    }
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "answers of the command line")]
fn load_and_run(cli: &Cli, as_srs: bool) -> ExitCode {
    let env = Env::from_process();
    let file = env.config_file().or_else(|| cli.config.clone());
    let embedded = file.is_none() && !cli.env_only && !env.is_env_only() && !as_srs && !cli.test;
    let source = match (&file, embedded) {
        _ if cli.env_only || env.is_env_only() => Source::EnvOnly,
        (Some(path), _) => Source::File(path.clone()),
        (None, true) => Source::Embedded,
        (None, false) => {
            eprintln!("no configuration: name a file with -c, or use -e to configure by SRS_* variables");
            return ExitCode::from(255);
        }
    };
    let origin =
        file.as_deref().filter(|_| matches!(source, Source::File(_))).map(|file| lasting(file, &env));
    let Loaded { mut conf, warnings } = match Conf::load(source, &env) {
        Ok(loaded) => loaded,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(error.exit_status());
        }
    };
    let mut warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    let host = machine::host();
    if embedded {
        warnings.extend(machine::fit(&mut conf, &host));
    }
    if let Err(error) = conf.check_host(&host) {
        eprintln!("{error}");
        return ExitCode::from(error.exit_status());
    }
    if cli.test {
        warnings.iter().for_each(|w| println!("{w}"));
        println!("the configuration{} is ok", file.map(|f| format!(" {}", f.display())).unwrap_or_default());
        return ExitCode::SUCCESS;
    }
    match run_server(conf, Start { everything: embedded, warnings, origin }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(error.exit_status())
        }
    }
}

/// What a reload loads again, whatever `work_dir` makes of relative paths.
fn lasting(file: &Path, env: &Env) -> Origin {
    let path = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    Origin { source: Source::File(path), env: env.clone() }
}
