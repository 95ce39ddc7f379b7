//! The server's answer to `connect`.

use super::{ConnectInfo, ServerOptions};
use crate::command::{Command, Outbox};
use crate::wire;
use headwater_flv::amf0::{Value, object};

const FMS_VERSION: &str = "FMS/3,5,3,888";
const VERSION: &str = env!("CARGO_PKG_VERSION");
const SERVER: &str = concat!("Headwater/", env!("CARGO_PKG_VERSION"));
const BANDWIDTH: u32 = 2_500_000;
const LIMIT_DYNAMIC: u8 = 2;

const VIDEO_FOURCCS: [&str; 5] = ["avc1", "hvc1", "av01", "vp09", "vp08"];
const AUDIO_FOURCCS: [&str; 3] = ["mp4a", "Opus", ".mp3"];
/// FourCcInfoMask: can forward.
const CAN_FORWARD: f64 = 4.0;
/// CapsExMask: ModEx and nanosecond offsets; no multitrack, because one track of each kind is carried.
const CAPS_EX: f64 = 12.0;

const TEXT_MAX: usize = 1024;

impl ConnectInfo {
    /// From the command object of `connect`; `None` when it has no `tcUrl`.
    pub(super) fn new(command: &Command) -> Option<ConnectInfo> {
        let args = command.object()?;
        let text = |name| args.property(name).and_then(Value::as_str);
        let cut = |name| {
            let text = text(name).unwrap_or_default();
            text.get(..text.floor_char_boundary(TEXT_MAX)).unwrap_or_default().to_owned()
        };
        let enhanced = ["fourCcList", "videoFourCcInfoMap", "audioFourCcInfoMap", "capsEx"];
        Some(ConnectInfo {
            tc_url: text("tcUrl")?.to_owned(),
            page_url: cut("pageUrl"),
            swf_url: cut("swfUrl"),
            flash_ver: cut("flashVer"),
            enhanced: enhanced.iter().any(|name| args.property(name).is_some()),
        })
    }
}

/// Window, bandwidth and chunk size, then `_result`, then `onBWDone`.
pub(super) fn connected(out: &mut Outbox, options: &ServerOptions, command: &Command, enhanced: bool) {
    if options.out_ack_size > 0 {
        out.control(wire::WINDOW_ACK_SIZE, &options.out_ack_size.to_be_bytes());
    }
    let [a, b, c, d] = BANDWIDTH.to_be_bytes();
    out.control(wire::SET_PEER_BANDWIDTH, &[a, b, c, d, LIMIT_DYNAMIC]);
    out.set_chunk_size(options.chunk_size);
    let encoding = command.object().and_then(|o| o.property("objectEncoding")?.as_number()).unwrap_or(0.0);
    let properties = [properties(enhanced), information(options, encoding, enhanced)];
    out.command(wire::CSID_COMMAND, 0, "_result", 1.0, &properties);
    out.command(wire::CSID_COMMAND, 0, "onBWDone", 0.0, &[Value::Null]);
}

fn properties(enhanced: bool) -> Value {
    let plain =
        object([("fmsVer", FMS_VERSION.into()), ("capabilities", 127.0.into()), ("mode", 1.0.into())]);
    if enhanced { with_capabilities(plain) } else { plain }
}

fn information(options: &ServerOptions, encoding: f64, enhanced: bool) -> Value {
    let plain = object([
        ("level", "status".into()),
        ("code", "NetConnection.Connect.Success".into()),
        ("description", "Connection succeeded".into()),
        ("objectEncoding", encoding.into()),
        ("data", identity(options)),
    ]);
    if enhanced { with_capabilities(plain) } else { plain }
}

/// The fields that clients of SRS look for.
fn identity(options: &ServerOptions) -> Value {
    let fields: [(&str, Value); 10] = [
        ("version", "3,5,3,888".into()),
        ("srs_sig", "SRS".into()),
        ("srs_server", SERVER.into()),
        ("srs_license", "MIT OR Apache-2.0".into()),
        ("srs_url", "".into()),
        ("srs_version", VERSION.into()),
        ("srs_authors", "Headwater".into()),
        ("srs_server_ip", options.server_ip.as_str().into()),
        ("srs_pid", f64::from(options.pid).into()),
        ("srs_id", options.id.as_str().into()),
    ];
    Value::EcmaArray(fields.into_iter().map(|(n, v)| (n.to_owned(), v)).collect())
}

/// Enhanced RTMP v2, "Enhancing NetConnection connect Command". Clients look in either of the two objects.
fn with_capabilities(value: Value) -> Value {
    let Value::Object(mut properties) = value else { return value };
    let all = VIDEO_FOURCCS.iter().chain(&AUDIO_FOURCCS);
    let map =
        |names: &[&str]| Value::Object(names.iter().map(|n| ((*n).to_owned(), CAN_FORWARD.into())).collect());
    properties.extend([
        ("fourCcList".to_owned(), Value::StrictArray(all.map(|n| (*n).into()).collect())),
        ("videoFourCcInfoMap".to_owned(), map(&VIDEO_FOURCCS)),
        ("audioFourCcInfoMap".to_owned(), map(&AUDIO_FOURCCS)),
        ("capsEx".to_owned(), CAPS_EX.into()),
    ]);
    Value::Object(properties)
}
