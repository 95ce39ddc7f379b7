use std::fmt;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};

/// What a newcomer needs to know, printed once everything listens.
#[derive(Clone, Debug)]
pub(crate) struct Welcome {
    pub(crate) console: Option<u16>,
    pub(crate) rtmp: u16,
    pub(crate) http: Option<u16>,
    pub(crate) webrtc: bool,
    pub(crate) data: String,
}

impl fmt::Display for Welcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = lan_address().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let rtmp = with_port("rtmp", host, self.rtmp, 1935);
        writeln!(f, "\n  Headwater {} is running.\n", env!("CARGO_PKG_VERSION"))?;
        if let Some(port) = self.console {
            writeln!(f, "  Console      http://{host}:{port}/")?;
        }
        writeln!(f, "  Publish      OBS: Settings, Stream, Custom")?;
        writeln!(f, "                 Server      {rtmp}/live")?;
        writeln!(f, "                 Stream key  livestream")?;
        writeln!(f, "               ffmpeg -re -i FILE -c copy -f flv {rtmp}/live/livestream")?;
        if let Some(port) = self.http.filter(|_| self.webrtc) {
            writeln!(f, "               OBS by WebRTC: Service WHIP")?;
            writeln!(
                f,
                "                 Server      http://{host}:{port}/rtc/v1/whip/?app=live&stream=livestream"
            )?;
        }
        writeln!(f, "  Watch        {rtmp}/live/livestream")?;
        if let Some(port) = self.http {
            writeln!(f, "               http://{host}:{port}/live/livestream.flv")?;
            writeln!(f, "               ws://{host}:{port}/live/livestream.flv")?;
            writeln!(f, "               http://{host}:{port}/live/livestream.m3u8")?;
            if self.webrtc {
                writeln!(
                    f,
                    "               http://{host}:{port}/rtc/v1/whep/?app=live&stream=livestream (WHEP)"
                )?;
            }
        }
        writeln!(f, "  Data         {}", self.data)?;
        writeln!(f, "  Stop         Ctrl-C\n")
    }
}

fn with_port(scheme: &str, host: IpAddr, port: u16, usual: u16) -> String {
    if port == usual { format!("{scheme}://{host}") } else { format!("{scheme}://{host}:{port}") }
}

/// The address that other machines would use: the one the default route leaves by. Nothing is sent.
fn lan_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?; // TEST-NET-1: connecting a UDP socket sends nothing
    Some(socket.local_addr().ok()?.ip()).filter(|ip| !ip.is_unspecified())
}
