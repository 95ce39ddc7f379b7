//! Which outputs a server has, and the configuration with all of them on.

use crate::server::Ports;
use serde::Serialize;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What a stream is read back from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Output {
    Hls,
    LowLatency,
    Dash,
    Recording,
}

impl Output {
    const ALL: [Output; 4] = [Output::Hls, Output::LowLatency, Output::Dash, Output::Recording];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Output::Hls => "HLS",
            Output::LowLatency => "LL-HLS",
            Output::Dash => "DASH",
            Output::Recording => "recording",
        }
    }

    /// Directives of a vhost that turn it on, beside those of [`Output::Hls`], which LL-HLS is part of.
    fn directives(self, folder: &Path) -> String {
        let folder = folder.display();
        match self {
            Output::Hls | Output::LowLatency => String::new(),
            Output::Dash => format!("dash {{ enabled on; dash_fragment 4; dash_path {folder}/dash; }}"),
            Output::Recording => format!(
                "dvr {{ enabled on; dvr_plan segment; dvr_duration 30; \
                 dvr_path {folder}/dvr/[app]/[stream]/[timestamp].flv; }}"
            ),
        }
    }
}

/// The outputs that `program` reads the configuration of without complaint.
pub(crate) fn accepted(program: &Path) -> Vec<Output> {
    Output::ALL.into_iter().filter(|output| accepts(program, *output)).collect()
}

fn accepts(program: &Path, output: Output) -> bool {
    let Ok(folder) = tempfile::tempdir() else { return false };
    let file = folder.path().join("server.conf");
    let ports = Ports { rtmp: 1935, http: 8080, api: 1985 };
    if fs::write(&file, conf(&[output], 1, ports, folder.path())).is_err() {
        return false;
    }
    let tested = Command::new(program).arg("-c").arg(&file).arg("-t").output();
    tested.is_ok_and(|tested| tested.status.success() && !complains(&tested.stdout, output))
}

/// Whether a warning names the output's directives.
fn complains(said: &[u8], output: Output) -> bool {
    let word = match output {
        Output::Hls => "hls_fragment",
        Output::LowLatency => "hls_ll",
        Output::Dash => "dash",
        Output::Recording => "dvr",
    };
    String::from_utf8_lossy(said).lines().any(|line| line.contains(word))
}

/// A configuration with these outputs on; HLS is on with LL-HLS.
pub(crate) fn conf(outputs: &[Output], workers: usize, ports: Ports, folder: &Path) -> String {
    let Ports { rtmp, http, api } = ports;
    let low_latency = if outputs.contains(&Output::LowLatency) { "hls_ll on;" } else { "" };
    let others: String = outputs.iter().map(|output| format!("  {}\n", output.directives(folder))).collect();
    let folder = folder.display();
    format!(
        "listen 127.0.0.1:{rtmp};\nworkers {workers};\nmax_connections 4000;\ndaemon off;\n\
         pid {folder}/headwater.pid;\ndata_dir {folder}/data;\nsrs_log_tank console;\nsrs_log_level warn;\n\
         http_api {{ enabled on; listen 127.0.0.1:{api}; }}\n\
         http_server {{ enabled on; listen 127.0.0.1:{http}; dir {folder}/www; }}\n\
         vhost __defaultVhost__ {{\n  \
         hls {{ enabled on; hls_fragment 4; hls_window 20; hls_ctx off; {low_latency} }}\n{others}}}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_output_is_in_the_configuration() {
        let ports = Ports { rtmp: 1, http: 2, api: 3 };
        let conf = conf(&Output::ALL, 2, ports, Path::new("/x"));
        for words in ["hls_ll on;", "dash_path /x/dash;", "dvr_plan segment;", "127.0.0.1:3;"] {
            assert!(conf.contains(words), "{words} in {conf}");
        }
    }

    #[test]
    fn a_warning_about_an_output_means_it_is_not_there() {
        assert!(complains(b"line 9: dash is not served yet\n", Output::Dash));
        assert!(!complains(b"the configuration is ok\n", Output::Recording));
    }
}
