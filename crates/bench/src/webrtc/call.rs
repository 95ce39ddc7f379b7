//! From a URL to an agreed session: offer and answer over HTTP, as WHIP and WHEP have it.

use crate::dial;
use crate::http::{self, Head, HttpError};
use crate::target::Target;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, UdpSocket};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use str0m::change::SdpAnswer;
use str0m::config::{DtlsCert, DtlsVersion};
use str0m::format::Codec;
use str0m::media::{Direction, MediaKind, Mid, Pt};
use str0m::{Candidate, Rtc, RtcConfig};
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

/// A server that has not answered an offer by then never will.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// Longest answer, bytes.
const ANSWER_MAX: usize = 256 << 10;
/// How often a sender's figures are told.
const STATS: Duration = Duration::from_secs(2);

#[derive(Debug, Error)]
pub(crate) enum CallError {
    #[error("connection: {0}")]
    Connection(#[from] io::Error),
    #[error("{0}")]
    Http(#[from] HttpError),
    #[error("the server refused with {status}: {reason}")]
    Refused { status: u16, reason: String },
    #[error("the answer is longer than {ANSWER_MAX} bytes or tells no length")]
    Length,
    #[error("the answer cannot be used: {0}")]
    Answer(String),
    #[error("the server did not answer the offer within {} s", ANSWER_TIMEOUT.as_secs())]
    Late,
}

/// An agreed session, before its first packet.
pub(crate) struct Call {
    pub(crate) rtc: Rtc,
    pub(crate) socket: UdpSocket,
    pub(crate) video: Lane,
    pub(crate) audio: Lane,
    /// When the answer was there.
    pub(crate) answered: Instant,
}

/// A media section and the payload type agreed on for H.264 with fragments, or for Opus.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lane {
    pub(crate) mid: Mid,
    pub(crate) pt: Pt,
}

/// Asks `server` for a session that sends or receives; `index` tells connections apart that need several source
/// addresses.
pub(crate) async fn call(
    target: Target,
    server: SocketAddr,
    index: usize,
    direction: Direction,
) -> Result<Call, CallError> {
    timeout(ANSWER_TIMEOUT, begin(&target, server, index, direction)).await.unwrap_or(Err(CallError::Late))
}

async fn begin(
    target: &Target,
    server: SocketAddr,
    index: usize,
    direction: Direction,
) -> Result<Call, CallError> {
    let socket = bind(server)?;
    let mut rtc = rtc(&socket)?;
    let mut changes = rtc.sdp_api();
    let audio = changes.add_media(MediaKind::Audio, direction, None, None, None);
    let video = changes.add_media(MediaKind::Video, direction, None, None, None);
    let Some((offer, pending)) = changes.apply() else {
        return Err(CallError::Answer("there was nothing to offer".into()));
    };
    let answer = post(target, server, index, &offer.to_sdp_string()).await?;
    let answered = Instant::now();
    let unusable = |error: &dyn std::fmt::Display| CallError::Answer(error.to_string());
    let answer = SdpAnswer::from_sdp_string(&answer).map_err(|error| unusable(&error))?;
    rtc.sdp_api().accept_answer(pending, answer).map_err(|error| unusable(&error))?;
    let lane = |mid, codec| lane(&rtc, mid, codec).ok_or_else(|| unusable(&format!("it has no {codec}")));
    let (video, audio) = (lane(video, Codec::H264)?, lane(audio, Codec::Opus)?);
    Ok(Call { rtc, socket, video, audio, answered })
}

/// A socket at the address from which `server` is reached. From loopback nothing leaves the machine, whatever
/// candidates the answer names.
fn bind(server: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = if server.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
    let probe = UdpSocket::bind(any)?;
    probe.connect(server)?; // sends nothing
    let socket = UdpSocket::bind((probe.local_addr()?.ip(), 0))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn rtc(socket: &UdpSocket) -> Result<Rtc, CallError> {
    // Browsers offer DTLS 1.3 as well.
    let config = RtcConfig::new().set_dtls_version(DtlsVersion::Auto);
    let config = config.set_rtp_mode(true).set_stats_interval(Some(STATS));
    let mut config = config.clear_codecs().enable_opus(true, false).enable_h264(true);
    if let Some(certificate) = certificate() {
        config = config.set_dtls_cert(certificate);
    }
    let mut rtc = config.build(Instant::now());
    let candidate = Candidate::host(socket.local_addr()?, "udp");
    let candidate = candidate.map_err(|error| CallError::Answer(error.to_string()))?;
    rtc.add_local_candidate(candidate);
    Ok(rtc)
}

/// One for all peers: making it is not what is measured.
fn certificate() -> Option<DtlsCert> {
    static CERTIFICATE: OnceLock<Option<DtlsCert>> = OnceLock::new();
    let generate = || str0m::crypto::from_feature_flags().dtls_provider.generate_certificate();
    CERTIFICATE.get_or_init(generate).clone()
}

fn lane(rtc: &Rtc, mid: Mid, codec: Codec) -> Option<Lane> {
    let agreed = rtc.media(mid)?.remote_pts();
    let fits = |params: &&str0m::format::PayloadParams| {
        let spec = params.spec();
        let whole = codec != Codec::H264 || spec.format.packetization_mode == Some(1);
        spec.codec == codec && whole && agreed.contains(&params.pt())
    };
    rtc.codec_config().iter().find(fits).map(|params| Lane { mid, pt: params.pt() })
}

/// The body of the answer to an offer.
async fn post(target: &Target, server: SocketAddr, index: usize, offer: &str) -> Result<String, CallError> {
    let mut stream = dial::connect(server, index).await?;
    stream
        .write_all(http::post(&target.host_field(), &target.path, "application/sdp", offer).as_bytes())
        .await?;
    let mut received = Vec::with_capacity(8192);
    let head = loop {
        if let Some(head) = Head::parse(&received)? {
            break head;
        }
        read(&mut stream, &mut received).await?;
    };
    let length = head.content_length.and_then(|length| usize::try_from(length).ok());
    let length = length.filter(|&length| length <= ANSWER_MAX).ok_or(CallError::Length)?;
    while received.len() < head.len + length {
        read(&mut stream, &mut received).await?;
    }
    let body = String::from_utf8_lossy(received.get(head.len..).unwrap_or_default()).into_owned();
    match head.status {
        201 | 200 => Ok(body),
        status => Err(CallError::Refused { status, reason: body }),
    }
}

async fn read(stream: &mut tokio::net::TcpStream, received: &mut Vec<u8>) -> io::Result<()> {
    match stream.read_buf(received).await? {
        0 => Err(ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}
