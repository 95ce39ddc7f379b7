//! WebRTC: WHIP in, WHEP out, on one UDP port for all workers.
//!
//! SDP is str0m's ([`agreement`]), DTLS is dimpl's and rtc-dtls's ([`dtls`]). What is here is the socket side, ICE-lite
//! ([`ice`]), SRTP and RTCP of viewers ([`sender`]) and publishers ([`receiver`]), the ties to the hub, and signalling
//! over HTTP ([`router`]): WHIP (RFC 9725), WHEP (draft-ietf-wish-whep) and SRS's JSON calls.
//!
//! A stream is made into RTP packets once ([`source`], [`packetlog`]); a viewer is a position in them with numbers and
//! keys of its own ([`egress`]), and its packets are sealed in the buffer that the kernel gets ([`batch`]). A session
//! lives on the worker that its peer's first packet reached, for life.
//!
//! Bounds stand beside what they bound: sessions that wait in [`registry`], packets in [`packetlog`], queues to
//! connections in [`tcp`].

mod addresses;
mod agreement;
mod answer;
mod bandwidth;
mod batch;
mod candidates;
mod channel;
mod dtls;
mod egress;
#[doc(hidden)]
pub mod fuzz;
mod gate;
mod ice;
mod ingest;
mod keys;
mod lane;
mod layers;
mod meter;
mod negotiate;
mod ntp;
mod offer;
mod order;
mod pace;
mod packetlog;
mod peer;
mod pictureids;
mod port;
mod receiver;
mod red;
mod references;
mod registry;
mod resend;
mod sender;
mod signal;
mod socket;
mod source;
mod splice;
mod srtp;
mod status;
mod tcp;
mod thinning;
mod view;

pub use signal::router;
pub use status::{Facts, Level, Phase, SessionFacts, TrackFacts};
pub use tcp::{is_packet, serve as serve_tcp};

use dtls::Certificate;
use headwater_conf::Conf;
use headwater_convert::Conversions;
use headwater_hub::{Admission, Hub, Stream, Workers};
use headwater_media::Codec;
use parking_lot::Mutex;
use registry::Registry;
use source::{Pictures, Source, Sources};
use status::Status;
use std::collections::VecDeque;
use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::runtime::Handle;

/// Bits a second of converted sound where no vhost says otherwise.
const OPUS_BITRATE: u32 = 48_000;

/// Failed sessions whose reasons are remembered for the API.
const FAILED_MAX: usize = 64;

/// What SRS's JSON calls tell of the server.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// `server`.
    pub server: String,
    /// `service`.
    pub service: String,
    /// `pid`.
    pub pid: String,
}

/// The WebRTC gateway of a server.
pub struct WebRtc {
    hub: Arc<Hub>,
    conf: Arc<Conf>,
    admission: Arc<dyn Admission>,
    runtime: Handle,
    conversions: Conversions,
    pub(crate) registry: Arc<Registry>,
    pub(crate) sources: Arc<Sources>,
    failed: Mutex<VecDeque<Arc<Status>>>,
    /// One for the process: clients learn its fingerprint from each answer.
    certificate: OnceLock<Result<Certificate, String>>,
    pub(crate) identity: Identity,
    udp: AtomicU16,
    tcp: AtomicU16,
}

impl std::fmt::Debug for WebRtc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebRtc").field("registry", &self.registry).finish_non_exhaustive()
    }
}

impl WebRtc {
    /// A gateway of `hub`. Frames become packets on `runtime`, which is not one of the media workers'.
    pub fn new(
        hub: Arc<Hub>,
        admission: Arc<dyn Admission>,
        conf: Arc<Conf>,
        runtime: Handle,
        identity: Identity,
    ) -> Arc<WebRtc> {
        Arc::new(WebRtc {
            hub,
            conf,
            admission,
            conversions: Conversions::new(runtime.clone()),
            runtime,
            registry: Arc::default(),
            sources: Arc::default(),
            failed: Mutex::default(),
            certificate: OnceLock::new(),
            identity,
            udp: AtomicU16::new(0),
            tcp: AtomicU16::new(0),
        })
    }

    /// Listens on the UDP port of `rtc_server.listen` with a socket in every worker; the port bound.
    ///
    /// Fails when the port is taken.
    pub fn listen_udp(self: &Arc<Self>, workers: &Workers) -> io::Result<u16> {
        self.warn();
        let (udp, sockets) = socket::bind(self.conf.rtc_server.listen, workers.count())?;
        for (worker, socket) in sockets.into_iter().enumerate() {
            let gateway = self.clone();
            workers
                .run(worker, Box::new(move || drop(tokio::task::spawn_local(port::run(gateway, socket)))))?;
        }
        self.udp.store(udp, Ordering::Relaxed);
        Ok(udp)
    }

    /// Listens on the TCP port of `rtc_server.tcp.listen`; the port bound.
    ///
    /// Fails when the port is taken.
    pub fn listen_tcp(&self, workers: &Workers) -> io::Result<u16> {
        let addr = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), self.conf.rtc_server.tcp.listen);
        let bound = workers.listen(addr, Arc::new(|connection| Box::pin(tcp::serve(connection))))?;
        self.share_tcp(bound.port());
        Ok(bound.port())
    }

    /// Tells answers to name a TCP port on which others listen: they hand over what [`is_packet`] tells, by
    /// [`serve_tcp`].
    pub fn share_tcp(&self, port: u16) {
        self.tcp.store(port, Ordering::Relaxed);
    }

    /// The ports that answers name, by `rtc_server.protocol`.
    fn ports(&self) -> answer::Ports {
        let protocol = self.conf.rtc_server.protocol.as_str();
        let bound = |port: &AtomicU16| Some(port.load(Ordering::Relaxed)).filter(|&port| port > 0);
        answer::Ports {
            udp: bound(&self.udp).filter(|_| protocol != "tcp"),
            tcp: bound(&self.tcp).filter(|_| protocol != "udp"),
        }
    }

    /// Says which settings cannot have their way.
    fn warn(&self) {
        let conf = &self.conf.rtc_server;
        if !conf.encrypt {
            tracing::warn!("rtc_server.encrypt is off, but WebRTC media are always encrypted (RFC 8827 6.5)");
        }
        for vhost in self.conf.vhosts().iter().filter(|vhost| vhost.rtc.dtls_version == "dtls1.0") {
            let vhost = &vhost.name;
            tracing::warn!(vhost, "rtc.dtls_version is dtls1.0, which RFC 8996 forbids; DTLS 1.2 is spoken");
        }
    }

    fn source(&self, stream: &Arc<Stream>) -> Arc<Source> {
        let rtc = self.conf.vhost(stream.name().vhost()).map(|vhost| &vhost.rtc);
        let bitrate = rtc.map_or(OPUS_BITRATE, |rtc| rtc.opus_bitrate);
        let conversions = self.conversions.clone();
        let convert = move |stream: &Arc<Stream>, codec: Codec| match codec {
            Codec::G711A => conversions.g711a(stream),
            Codec::G711U => conversions.g711u(stream),
            _ => conversions.opus(stream, bitrate),
        };
        let pictures = Pictures {
            keep_bframe: rtc.is_some_and(|rtc| rtc.keep_bframe),
            keep_sei: rtc.is_none_or(|rtc| rtc.keep_avc_nalu_sei),
        };
        self.sources.open(stream, &self.runtime, Arc::new(convert), pictures)
    }

    /// Keeps the status of a session that failed, for whoever asks why.
    fn remember(&self, status: &Arc<Status>) {
        let mut failed = self.failed.lock();
        if failed.len() >= FAILED_MAX {
            failed.pop_front();
        }
        failed.push_back(status.clone());
    }

    /// The sessions that are.
    pub fn sessions(&self) -> Vec<SessionFacts> {
        self.registry.statuses().iter().map(|status| status.tell()).collect()
    }

    /// Sessions that failed lately, oldest first; at most 64.
    pub fn failures(&self) -> Vec<SessionFacts> {
        self.failed.lock().iter().map(|status| status.tell()).collect()
    }
}
