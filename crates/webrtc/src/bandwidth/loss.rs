//! Which share of packets is lost, and whether sending less would help.

/// Packets after which a share is told.
const LEAST: u32 = 20;

/// Time over which packets are counted, in microseconds.
const INTERVAL: i64 = 500_000;

/// An interval that took longer, in microseconds, says nothing, nor does what was before: less was sent meanwhile.
const INTERVAL_MAX: i64 = 4 * INTERVAL;

/// Share of the newest interval in the smoothed loss: of those counted here, and of those a receiver reports, which
/// are longer.
const COUNTED: f64 = 0.3;
const REPORTED: f64 = 0.6;

/// Loss beyond the path's own from which on less is sent: the 10 % of draft-ietf-rmcat-gcc-02 section 6, and a little
/// for the chance in it.
const TOO_MUCH: f64 = 0.12;

/// Loss beyond the path's own up to which more may be tried.
const LITTLE: f64 = 0.05;

/// Loss beyond the path's own by which a queue that stands is known to be full.
const FELT: f64 = 0.04;

/// Most loss that is taken for the path's own: beyond it nothing can be watched.
const OWN_MAX: f64 = 0.25;

/// Intervals after which it is seen whether sending less helped.
const PATIENCE: u32 = 3;

/// As much more must be sent to see whether that is why packets are lost.
const MORE: f64 = 1.2;

/// How much is lost beyond what the path loses anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    /// More may be sent.
    Little,
    /// A little more may be tried.
    Some,
    /// Less should be sent.
    TooMuch,
}

/// Counts what is lost. A path that loses as much when less is sent (radio) has a loss of its own, which is no reason
/// to send less.
#[derive(Clone, Debug, Default)]
pub(super) struct Loss {
    lost: u32,
    received: u32,
    since: Option<i64>,
    share: Option<f64>,
    /// Share of the newest interval alone.
    newest: f64,
    own: f64,
    trial: Option<Trial>,
    /// Loss and bits a second sent when loss began to count.
    before: Option<(f64, f64)>,
}

/// Less was sent: does it help?
#[derive(Clone, Copy, Debug)]
struct Trial {
    share: f64,
    sent: f64,
    intervals: u32,
}

impl Loss {
    /// The smoothed share, 0 to 1; `None` before enough packets were told of.
    pub(super) fn share(&self) -> Option<f64> {
        self.share
    }

    /// Whether something is lost now beyond what the path loses anyway.
    pub(super) fn is_felt(&self) -> bool {
        self.newest - self.own > FELT
    }

    /// Less will be sent for what was lost up to now.
    pub(super) fn answered(&mut self) {
        self.newest = 0.0;
    }

    pub(super) fn severity(&self) -> Severity {
        match self.share.unwrap_or(0.0) - self.own {
            excess if excess > TOO_MUCH => Severity::TooMuch,
            excess if excess > LITTLE => Severity::Some,
            _ => Severity::Little,
        }
    }

    pub(super) fn count(&mut self, lost: u32, received: u32) {
        self.lost = self.lost.saturating_add(lost);
        self.received = self.received.saturating_add(received);
    }

    /// A packet that counted as lost came after all.
    pub(super) fn found(&mut self) {
        self.lost = self.lost.saturating_sub(1);
    }

    /// The share of what is sent now that should be sent, when that is less; once an interval. `now` in microseconds,
    /// `sent` in bits a second.
    pub(super) fn less(&mut self, now: i64, sent: f64) -> Option<f64> {
        let since = *self.since.get_or_insert(now);
        if now - since > INTERVAL_MAX {
            *self = Loss { own: self.own, since: Some(now), ..Loss::default() };
            return None;
        }
        let packets = self.lost + self.received;
        if now - since < INTERVAL || packets < LEAST {
            return None;
        }
        let share = f64::from(self.lost) / f64::from(packets);
        (self.lost, self.received, self.since) = (0, 0, Some(now));
        self.told(share, COUNTED, sent)
    }

    /// The same by a receiver's report of the share lost since its last one.
    pub(super) fn reported(&mut self, share: f64, sent: f64) -> Option<f64> {
        self.told(share, REPORTED, sent)
    }

    fn told(&mut self, share: f64, weight: f64, sent: f64) -> Option<f64> {
        let smooth = self.share.map_or(share, |before| before + weight * (share - before));
        (self.share, self.newest) = (Some(smooth), share);
        self.own = self.own.min(smooth);
        self.learn_from_less(smooth, sent);
        self.learn_from_more(smooth, sent);
        // What was lost before and no longer is asks for nothing.
        if self.severity() != Severity::TooMuch || share - self.own <= TOO_MUCH {
            return None;
        }
        self.trial.get_or_insert(Trial { share: smooth, sent, intervals: 0 });
        Some(1.0 - 0.5 * (smooth - self.own))
    }

    /// Looks whether less sent was less lost.
    fn learn_from_less(&mut self, share: f64, sent: f64) {
        let Some(trial) = &mut self.trial else { return };
        trial.intervals += 1;
        if trial.intervals < PATIENCE {
            return;
        }
        let fewer = sent < 0.95 * trial.sent;
        if fewer && share > 0.75 * trial.share {
            self.own = share.min(OWN_MAX);
        }
        self.trial = None;
    }

    /// Looks whether more sent was more lost.
    fn learn_from_more(&mut self, share: f64, sent: f64) {
        if self.severity() == Severity::Little {
            self.before = None;
            return;
        }
        let (least, then) = *self.before.get_or_insert((share, sent));
        if sent > MORE * then {
            if share < 1.25 * least {
                self.own = share.min(OWN_MAX);
            }
            self.before = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_that_sending_less_does_not_cure_is_the_path_s_own() {
        let mut loss = Loss::default();
        let mut sent = 1e6;
        for _ in 0..20 {
            if let Some(share) = loss.told(0.2, 0.5, sent) {
                sent *= share;
            }
        }
        assert!(sent > 0.6e6, "{sent}");
        assert_eq!((loss.told(0.2, 0.5, sent), loss.severity()), (None, Severity::Little));
        (0..20).for_each(|_| assert_eq!(loss.told(0.0, 0.5, sent), None));
        assert!((0..5).all(|_| loss.told(0.5, 0.5, sent).is_some()));
    }

    #[test]
    fn loss_of_a_policer_ends_when_less_is_sent() {
        let mut loss = Loss::default();
        let mut sent = 2e6;
        for _ in 0..40 {
            let lost = 1.0 - (1e6f64 / sent).min(1.0);
            if let Some(share) = loss.told(lost, 0.5, sent) {
                sent *= share;
            }
        }
        assert!((0.6e6..1.2e6).contains(&sent), "{sent}");
    }

    #[test]
    fn loss_that_is_over_asks_for_nothing() {
        let mut loss = Loss::default();
        assert!(loss.told(0.6, COUNTED, 1e6).is_some() && loss.is_felt());
        loss.answered();
        assert!(!loss.is_felt());
        assert_eq!(loss.told(0.0, COUNTED, 0.5e6), None);
        assert!(loss.share().unwrap() > TOO_MUCH && !loss.is_felt(), "though it is remembered");
        loss.told(0.05, COUNTED, 0.5e6);
        assert!(loss.is_felt());
    }

    #[test]
    fn few_packets_say_nothing() {
        let mut loss = Loss::default();
        loss.count(5, 5);
        assert_eq!(loss.less(0, 1e6), None);
        assert_eq!(loss.less(1_000_000, 1e6), None);
        loss.count(0, 20);
        assert_eq!(loss.less(1_000_000, 1e6), Some(1.0 - 0.5 * (5.0 / 30.0)));
    }

    #[test]
    fn loss_before_a_pause_is_forgotten() {
        let mut loss = Loss::default();
        loss.less(0, 1e6);
        loss.count(50, 50);
        assert_eq!(loss.less(10_000_000, 1e6), None);
        assert_eq!((loss.share(), loss.severity()), (None, Severity::Little));
        loss.count(0, 100);
        assert_eq!(loss.less(10_500_000, 1e6), None);
        assert_eq!(loss.share(), Some(0.0));
    }
}
