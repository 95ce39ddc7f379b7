//! Protocol converters.

use std::time::Duration;

use crate::section::section;

section! {
    /// Protocol converter. One live listener per caster type: a second enabled block of the same type
    /// replaces the first.
    pub struct StreamCaster {
        /// Enable this caster.
        enabled: bool = OnlyOn, "off", "R", X;
        /// Type; unknown type on an enabled caster aborts startup (4010).
        caster: String = Choice(&["mpegts_over_udp", "flv", "gb28181"]), "", "R", X;
        /// Where to push; variables: flv `[app]` `[stream]`; gb28181 `[stream]` (= device id).
        output: String = Text("RTMP url"), "", "R", X;
        /// UDP (mpegts) or TCP (flv, gb media). <=0 aborts startup (4011) for udp/flv.
        listen: u16 = Port, "0", "R", X;
    }
    blocks {
        /// Embedded SIP server for gb28181 (TCP).
        sip: Sip = X;
    }
    accepts {
        /// Belongs to an older release.
        "tcp_enable" = Any, "", "-", U.older();
        /// Belongs to an older release.
        "rtp_port_min" = Any, "", "-", U.older();
        /// Belongs to an older release.
        "rtp_port_max" = Any, "", "-", U.older();
        /// Belongs to an older release.
        "wait_keyframe" = Any, "", "-", U.older();
        /// Belongs to an older release.
        "rtp_idle_timeout" = Any, "", "-", U.older();
        /// Belongs to an older release.
        "audio_enable" = Any, "", "-", U.older();
        /// Belongs to an older release.
        "auto_create_channel" = Any, "", "-", U.older();
    }
}

section! {
    /// Embedded SIP server for gb28181 (TCP).
    pub struct Sip {
        /// Off = external SIP; use POST /gb/v1/publish/.
        enabled: bool = UnlessOff, "on", "R", X;
        /// SIP TCP port.
        listen: u16 = Port, "5060", "R", X;
        /// SIP/media connect timeout.
        timeout: Duration = FloatSeconds, "60", "R", X;
        /// Wait before re-INVITE after media loss.
        reinvite: Duration = FloatSeconds, "5", "R", X;
        /// Address in INVITE SDP; same `$NAME` rule as rtc_server.candidate; `*` = first public IPv4, else
        /// private.
        candidate: String = Candidate, "*", "R", X.formerly(&["stream_caster.host"]);
    }
    accepts {
        /// Belongs to an older release.
        "serial" = Any, "", "-", U.older();
        /// Belongs to an older release.
        "realm" = Any, "", "-", U.older();
        /// Belongs to an older release.
        "ack_timeout" = Any, "", "-", U.older();
        /// Belongs to an older release.
        "keepalive_timeout" = Any, "", "-", U.older();
        /// Belongs to an older release.
        "invite_port_fixed" = Any, "", "-", U.older();
        /// Belongs to an older release.
        "query_catalog_interval" = Any, "", "-", U.older();
        /// Belongs to an older release.
        "auto_play" = Any, "", "-", U.older();
    }
}
