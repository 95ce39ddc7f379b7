//! Players and publishers.

use std::time::Duration;

use crate::section::section;
use crate::value::choice;

section! {
    /// Player side.
    pub struct Play {
        /// Keep the last GOP for fast start.
        gop_cache: bool = UnlessOff, "on", "A", S.formerly(&["vhost.gop_cache"]).served();
        /// Most messages in the GOP cache.
        gop_cache_max_frames: u32 = Int(""), "2500", "C", S.formerly(&["vhost.gop_cache_max_frames"]).served();
        /// How far a player may fall behind; beyond, it jumps to the newest keyframe.
        queue_length: Duration = Seconds, "30", "A", S.formerly(&["vhost.queue_length"]).served();
        /// Timestamp correction: full makes leaps, wraps and steps back go on, zero starts at zero; unknown text = off.
        time_jitter: TimeJitter = Choice(TimeJitter::NAMES), "full", "A", S.formerly(&["vhost.time_jitter"]).served();
        /// Pass absolute timestamps, as published and never corrected.
        atc: bool = OnlyOn, "off", "A", S.formerly(&["vhost.atc"]).served();
        /// Interleave A/V monotonically; a frame waits for the other track, at most for nine more of its own.
        mix_correct: bool = OnlyOn, "off", "A", S.formerly(&["vhost.mix_correct"]).served();
        /// Turn atc on when metadata has bravo_atc="true".
        atc_auto: bool = OnlyOn, "off", "L", S.formerly(&["vhost.atc_auto"]).served();
        /// Least time between two writes to a player. If absent, Headwater writes at once and batches by load.
        mw_latency: Option<Duration> = Millis, "", "A", S.formerly(&["vhost.mw_latency"]).served();
        /// Least messages of one write.
        mw_msgs: Option<u32> = Int(""), "", "A", S;
        /// >0 sends one message at a time with this gap.
        send_min_interval: Duration = FloatMillis, "0", "A", S.formerly(&["vhost.send_min_interval"]);
        /// Suppress unchanged sequence headers.
        reduce_sequence_header: bool = OnlyOn, "off", "L", S.formerly(&["vhost.reduce_sequence_header"]);
    }
}

section! {
    /// Publisher side.
    pub struct Publish {
        /// Read from publishers in batches.
        mr: bool = OnlyOn, "off", "A", S.formerly(&["vhost.mr.enabled"]);
        /// Time a batch is read for.
        mr_latency: Duration = Millis, "350", "A", S.formerly(&["vhost.mr.latency"]);
        /// Timeout for the first packet.
        firstpkt_timeout: Duration = Millis, "20000", "A", S.formerly(&["vhost.publish_1stpkt_timeout"]).served();
        /// Timeout between packets.
        normal_timeout: Duration = Millis, "5000", "A", S.formerly(&["vhost.publish_normal_timeout"]).served();
        /// Parse SPS for resolution/HLS.
        parse_sps: bool = UnlessOff, "on", "L", S.served();
        /// Try Annex-B before length-prefixed NALUs.
        try_annexb_first: bool = UnlessOff, "on", "C", S;
        /// Disconnect a publisher without players; conflicts with forward.
        kickoff_for_idle: Duration = FloatSeconds, "0", "C", S.served();
    }
}

choice! {
    /// What is done about odd timestamps.
    pub enum TimeJitter else Off {
        /// Correct leaps, wraps and steps back; a recording starts at zero, too.
        Full = "full",
        /// Start at zero.
        Zero = "zero",
        /// Nothing.
        Off = "off",
    }
}
