//! The rows of WebRTC.

use super::{Bench, StepError, headwater, say, stream_args};
use crate::floor;
use crate::options::{Bitrate, Remote, Window};
use crate::server::{Ports, Server};
use crate::table::{row, verdict};
use crate::webrtc::play::Watched;
use crate::webrtc::publish::{self as whip, Sent};
use crate::{play, publish};
use std::path::Path;
use std::time::Duration;
use tokio::time::sleep;

/// Viewers of one stream, and what a packet for them may cost.
#[derive(Clone, Copy, Debug)]
struct Load {
    viewers: usize,
    bitrate: u64,
    /// CPU microseconds for each packet.
    limit_us: f64,
}

const LOADS: [Load; 2] = [
    Load { viewers: 100, bitrate: 2_100_000, limit_us: 4.0 },
    Load { viewers: 300, bitrate: 300_000, limit_us: 7.0 },
];
/// Publishers at once.
const PUBLISHERS: usize = 100;
/// Viewers of an idle server.
const FEW: usize = 50;
/// Peers that connect in a second: each costs both sides a DTLS handshake.
const CONNECT_RATE: f64 = 50.0;
/// A GOP of the published stream is there after this.
const FIRST_GOP: Duration = Duration::from_millis(2500);

impl Load {
    fn name(&self) -> String {
        format!("{} × {:.1} Mb/s", self.viewers, self.bitrate as f64 / 1e6)
    }
}

impl Bench {
    pub(super) async fn webrtc(&mut self) {
        for load in LOADS {
            self.datagram_floor(load).await;
            self.whep_plays(load).await;
        }
        self.whip_publish().await;
        self.whep_idle().await;
    }

    async fn datagram_floor(&mut self, load: Load) {
        let work = format!("bare datagrams, {}", load.name());
        say(&work, "floor");
        match floor::run_datagrams(&self.floor_args(load)).await {
            Ok(floor) => self.add(row::datagrams(work, &floor)),
            Err(error) => self.fail(work, "floor", &error.into()),
        }
    }

    fn floor_args(&self, load: Load) -> floor::Args {
        floor::Args {
            players: load.viewers,
            bitrate: Bitrate(load.bitrate),
            batch: 0,
            window: self.scale.window,
            receive: false,
            datagrams: true,
            serve: false,
        }
    }

    async fn whep_plays(&mut self, load: Load) {
        let work = format!("WHEP play, {}, WHIP in", load.name());
        let mut one_worker = None;
        for workers in [1, 2] {
            let name = headwater(workers);
            say(&work, &name);
            let watched = match self.whep_play(load, workers).await {
                Ok(watched) => watched,
                Err(error) => {
                    self.fail(work.clone(), &name, &error);
                    continue;
                }
            };
            let each = watched.cost.map(|cost| cost.per_packet_us);
            self.add(row::watched(work.clone(), name, &watched, load.limit_us));
            match (workers, one_worker.zip(each)) {
                (2, Some((one, two))) => self.add(row::capacity(work.clone(), one, two)),
                (1, _) => {
                    let memory = format!("memory for each viewer, {}", load.name());
                    let cost = watched.cost.map(|cost| cost.cost);
                    self.add(row::memory(memory, cost.as_ref(), verdict::VIEWER_MEMORY, &watched));
                }
                _ => {}
            }
            one_worker = one_worker.or(each);
        }
    }

    async fn whep_play(&self, load: Load, workers: usize) -> Result<Watched, StepError> {
        let server = self.rtc_server(workers)?;
        let target = rtc_url(&server, "whip", "a").parse()?;
        let _stream = whip::stream(&target, stream_args(load.bitrate).shape()).await?;
        sleep(FIRST_GOP).await;
        self.watched(&server, load.viewers, self.scale.window).await
    }

    async fn watched(&self, server: &Server, players: usize, window: Window) -> Result<Watched, StepError> {
        let args = play::Args {
            url: rtc_url(server, "whep", "a").parse()?,
            players,
            streams: 1,
            probes: 1,
            connect_rate: CONNECT_RATE,
            bitrate: None,
            pid: Some(server.pid()),
            window,
            remote: Remote::default(),
        };
        Ok(crate::webrtc::play::run(&args).await?)
    }

    async fn whip_publish(&mut self) {
        let work = format!("WHIP publish, {PUBLISHERS} × 2.1 Mb/s");
        let name = headwater(1);
        say(&work, &name);
        match self.whip_published().await {
            Ok(sent) => {
                let cost = sent.cost.map(|cost| cost.cost);
                self.add(row::whip(work, name, &sent));
                let limit = verdict::PUBLISHER_MEMORY;
                self.add(row::memory("memory for each publisher, WHIP".into(), cost.as_ref(), limit, &sent));
            }
            Err(error) => self.fail(work, &name, &error),
        }
    }

    async fn whip_published(&self) -> Result<Sent, StepError> {
        let server = self.rtc_server(1)?;
        let args = publish::Args {
            url: rtc_url(&server, "whip", "p{}").parse()?,
            publishers: PUBLISHERS,
            stream: stream_args(super::BITRATE),
            connect_rate: CONNECT_RATE,
            pid: Some(server.pid()),
            window: self.scale.window,
            remote: Remote::default(),
        };
        Ok(whip::run(&args).await?)
    }

    /// A few viewers on an idle server: how late pictures and sound are, and how soon the first picture comes.
    async fn whep_idle(&mut self) {
        let (work, name) = ("added latency, RTMP in, WHEP out".to_owned(), headwater(2));
        say(&work, &name);
        match self.idle_viewers().await {
            Ok(watched) => {
                self.add(row::whep_latency(work.clone(), name.clone(), &watched));
                self.add(row::sound_latency(format!("{work}, AAC to Opus"), name.clone(), &watched));
                self.add(row::join("first picture of a new viewer, WHEP".into(), name, &watched));
            }
            Err(error) => self.fail(work, &name, &error),
        }
    }

    async fn idle_viewers(&self) -> Result<Watched, StepError> {
        let server = self.rtc_server(2)?;
        let _stream = super::stream(&server).await?;
        self.watched(&server, FEW, self.scale.window).await
    }

    fn rtc_server(&self, workers: usize) -> Result<Server, StepError> {
        let mut server = Server::configured(&self.program, |ports, folder| conf(workers, ports, folder))?;
        server.wait_for(server.api)?;
        Ok(server)
    }
}

fn rtc_url(server: &Server, way: &str, name: &str) -> String {
    format!("http://127.0.0.1:{}/rtc/v1/{way}/?app=live&stream={name}", server.api)
}

/// The API's port and that of WebRTC have the same number: one is TCP, the other UDP.
fn conf(workers: usize, Ports { rtmp, api, .. }: Ports, folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "listen 127.0.0.1:{rtmp};\nworkers {workers};\nmax_connections 19000;\ndaemon off;\n\
         pid {folder}/headwater.pid;\ndata_dir {folder}/data;\nsrs_log_tank console;\nsrs_log_level warn;\n\
         http_api {{ enabled on; listen 127.0.0.1:{api}; }}\n\
         rtc_server {{ enabled on; listen {api}; candidate 127.0.0.1; }}\n\
         vhost __defaultVhost__ {{ rtc {{ enabled on; rtmp_to_rtc on; }} }}\n"
    )
}
