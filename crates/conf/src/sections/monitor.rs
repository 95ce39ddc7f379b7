//! Watching the process and reporting about it.

use std::time::Duration;

use crate::endpoint::Endpoint;
use crate::section::section;

section! {
    /// Threads of the baseline: Headwater has `workers` instead.
    pub struct Threads {
        /// Cycle of the thread watcher.
        interval: Duration = Seconds, "5", "R", S.range(1.0, 1_000_000.0);
    }
}

section! {
    /// CPU protection (sampled every 1 s on process CPU%).
    pub struct CircuitBreaker {
        /// Master switch.
        enabled: bool = UnlessOff, "on", "R", S;
        /// High level; disables NACK.
        high_threshold: u32 = Int("%"), "90", "R", S;
        /// Seconds below threshold to clear; 0 disables level.
        high_pulse: u32 = Int(""), "2", "R", S;
        /// Critical level; also disables TWCC.
        critical_threshold: u32 = Int("%"), "95", "R", S;
        /// Seconds below the critical threshold to clear; 0 disables the level.
        critical_pulse: u32 = Int(""), "1", "R", S;
        /// Dying level; drops packets to players.
        dying_threshold: u32 = Int("%"), "99", "R", S;
        /// Seconds above threshold to enter; 0 disables.
        dying_pulse: u32 = Int(""), "5", "R", S;
    }
}

section! {
    /// Cloud log shipping.
    pub struct CloudLog {
        /// Turn it on.
        enabled: bool = OnlyOn, "off", "R", S;
        /// Label field of each record.
        label: String = Text("str"), "", "R", S;
        /// Tag field of each record.
        tag: String = Text("str"), "", "R", S;
        /// Credential id.
        secret_id: String = Text("str"), "", "R", S;
        /// Credential key.
        secret_key: String = Text("str"), "", "R", S;
        /// Service host.
        endpoint: String = Text("host"), "", "R", S;
        /// Topic the records go to.
        topic_id: String = Text("str"), "", "R", S;
        /// Log each upload.
        debug_logging: bool = OnlyOn, "off", "R", S;
        /// Ship summary records.
        stat_heartbeat: bool = UnlessOff, "on", "R", S;
        /// Every 5 s × ratio.
        heartbeat_ratio: u32 = Int(""), "1", "R", S;
        /// Ship per-stream records.
        stat_streams: bool = UnlessOff, "on", "R", S;
        /// Every 5 s × ratio.
        streams_ratio: u32 = Int(""), "1", "R", S;
    }
}

section! {
    /// OpenTelemetry-style tracing.
    pub struct CloudTrace {
        /// Turn it on.
        enabled: bool = OnlyOn, "off", "R", X;
        /// Team id.
        team: String = Text("str"), "", "R", X;
        /// Access token.
        token: String = Text("str"), "", "R", X;
        /// HTTP endpoint (port 55681 style).
        endpoint: String = Text("host:port"), "", "R", X;
        /// The service.name attribute of every span.
        service_name: String = Text("str"), "srs-server", "R", X;
        /// Log each upload.
        debug_logging: bool = OnlyOn, "off", "R", X;
    }
}

section! {
    /// Metrics for Prometheus.
    pub struct Exporter {
        /// Enables the extra listener and the /metrics body on every API port.
        enabled: bool = OnlyOn, "off", "R", X;
        /// Extra plain-HTTP listener serving the whole API mux.
        listen: Endpoint = Address, "9972", "R", X;
        /// Adds label="..." to srs_build_info.
        label: String = Text("str"), "", "R", X;
        /// Adds tag="..." to srs_build_info.
        tag: String = Text("str"), "", "R", X;
    }
}

section! {
    /// Periodic POST to a controller.
    pub struct Heartbeat {
        /// Turn it on.
        enabled: bool = OnlyOn, "off", "R", S;
        /// Period; a value that truncates to 0 fails validation.
        interval: Duration = FloatSeconds, "10", "R", S;
        /// Target; the query string is dropped when posting.
        url: String = Text("url"), "http://127.0.0.1:8085/api/v1/servers", "L", S;
        /// device_id field.
        device_id: String = Text("str"), "", "L", S;
        /// Attach summaries.
        summaries: bool = OnlyOn, "off", "L", S;
        /// Attach listen endpoints.
        ports: bool = OnlyOn, "off", "L", S;
    }
}

section! {
    /// System statistics.
    pub struct Stats {
        /// Run samplers; off leaves the API counters at zero.
        enabled: bool = UnlessOff, "on", "R", S;
        /// Index into local addresses (for heartbeat ip, upnode info); out of range fails validation.
        network: i32 = Int("index"), "0", "L", S;
        /// Block device names for busy%.
        disk: Vec<String> = List("device"), "", "L", S;
    }
}
