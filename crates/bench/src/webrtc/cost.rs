//! What packets cost: the server, and this program itself.

use crate::cost::{Cost, Watch};
use crate::process::ProcessError;
use crate::report;
use serde::Serialize;

/// CPU and memory of one process over one window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct PacketCost {
    /// CPU microseconds for each RTP packet, user and kernel.
    pub(crate) per_packet_us: f64,
    /// The user part of it.
    pub(crate) user_per_packet_us: f64,
    #[serde(flatten)]
    pub(crate) cost: Cost,
}

impl PacketCost {
    fn new(cost: Cost, packets: u64) -> PacketCost {
        let each = |seconds: f64| if packets == 0 { 0.0 } else { seconds * 1e6 / packets as f64 };
        PacketCost {
            per_packet_us: each(cost.user_s + cost.sys_s),
            user_per_packet_us: each(cost.user_s),
            cost,
        }
    }

    pub(crate) fn tell_server(&self, out: &mut report::Lines) {
        out.line("CPU per packet", self.per_packet());
        report::cost(out, Some(&self.cost));
    }

    pub(crate) fn tell_own(&self, out: &mut report::Lines) {
        out.line("this program", format!("{} per packet", self.per_packet()));
    }

    fn per_packet(&self) -> String {
        format!("{:.2} µs (user {:.2})", self.per_packet_us, self.user_per_packet_us)
    }
}

/// Watches the server, if its process is known, and this program.
pub(crate) struct Spent {
    server: Watch,
    own: Watch,
}

impl Spent {
    /// Takes the memory that process `pid` has before the load comes.
    pub(crate) fn before(pid: Option<u32>) -> Result<Spent, ProcessError> {
        Ok(Spent { server: Watch::before(pid)?, own: Watch::before(Some(std::process::id()))? })
    }

    /// Begins the measured window.
    pub(crate) fn begin(&mut self) -> Result<(), ProcessError> {
        self.server.begin()?;
        self.own.begin()
    }

    /// Ends the window; what `packets` of `bytes` for `peers` cost the server, and this program.
    pub(crate) fn end(
        &self,
        packets: u64,
        bytes: u64,
        peers: usize,
    ) -> Result<(Option<PacketCost>, Option<PacketCost>), ProcessError> {
        let of = |watch: &Watch| Ok(watch.end(bytes, peers)?.map(|cost| PacketCost::new(cost, packets)));
        Ok((of(&self.server)?, of(&self.own)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cost_is_told_for_each_packet() {
        let mut spent = Spent::before(Some(std::process::id())).unwrap();
        spent.begin().unwrap();
        let (server, own) = spent.end(0, 0, 1).unwrap();
        assert_eq!((server.unwrap().per_packet_us, own.unwrap().user_per_packet_us), (0.0, 0.0));
        let cost = Cost { user_s: 0.5, sys_s: 1.5, ..own.unwrap().cost };
        let told = PacketCost::new(cost, 1_000_000);
        assert_eq!((told.per_packet_us, told.user_per_packet_us), (2.0, 0.5));
    }
}
