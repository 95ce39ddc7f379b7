//! Transport-wide congestion feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 3.1).

use bytes::BufMut;
use headwater_media::{Reader, Short};

/// Microseconds of a step.
const STEP: i32 = 250;

/// Longest run that a chunk counts.
const RUN_MAX: usize = 0x1fff;

/// Statuses in a vector of one bit each, and of two.
const BITS: usize = 14;
const PAIRS: usize = 7;

/// Which packets arrived when, by transport-wide sequence number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransportFeedback {
    /// Who tells.
    pub sender: u32,
    /// Of which source the header speaks.
    pub media: u32,
    /// Counts these packets.
    pub count: u8,
    /// Time from which arrivals count, in units of 64 ms.
    pub reference: i32,
    /// Sequence number of the first status.
    pub base: u16,
    /// For each number from `base` on: microseconds after the arrival before it (the first: after the reference), in
    /// steps of 250, each at most 32,767 of them; `None` for what did not arrive.
    pub arrivals: Vec<Option<i32>>,
}

/// What a status chunk says of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Symbol {
    Lost = 0,
    /// A step in 8 bits, none below zero.
    Small = 1,
    /// A step in 16 bits.
    Large = 2,
}

impl Symbol {
    fn of(arrival: Option<i32>) -> Symbol {
        arrival.map_or(Symbol::Lost, |time| match u8::try_from(time / STEP) {
            Ok(_) => Symbol::Small,
            Err(_) => Symbol::Large,
        })
    }
}

pub(super) fn read(r: &mut Reader<'_>) -> Result<TransportFeedback, Short> {
    let (sender, media, base, statuses) = (r.u32()?, r.u32()?, r.u16()?, r.u16()?);
    let (reference, count) = (r.i24()?, r.u8()?);
    let symbols = read_symbols(usize::from(statuses), r)?;
    let mut arrivals = Vec::with_capacity(symbols.len());
    for symbol in symbols {
        arrivals.push(match symbol {
            1 => Some(i32::from(r.u8()?) * STEP),
            2 => Some(i32::from(r.u16()? as i16) * STEP),
            _ => None,
        });
    }
    Ok(TransportFeedback { sender, media, count, reference, base, arrivals })
}

/// Packet status chunks: runs, or vectors of 14 symbols of one bit or 7 of two. At most 65,535 symbols.
fn read_symbols(statuses: usize, r: &mut Reader<'_>) -> Result<Vec<u8>, Short> {
    let mut symbols = Vec::new();
    while symbols.len() < statuses {
        let chunk = r.u16()?;
        let left = statuses - symbols.len();
        if chunk & 0x8000 == 0 {
            let run = usize::from(chunk & 0x1fff).min(left);
            symbols.resize(symbols.len() + run, (chunk >> 13 & 0x03) as u8);
        } else if chunk & 0x4000 == 0 {
            symbols.extend((0..14).rev().take(left).map(|bit| (chunk >> bit & 0x01) as u8));
        } else {
            symbols.extend((0..7).rev().take(left).map(|pair| (chunk >> (2 * pair) & 0x03) as u8));
        }
    }
    Ok(symbols)
}

/// Appends the body. At most 65,535 statuses.
pub(super) fn put(feedback: &TransportFeedback, out: &mut Vec<u8>) {
    let most = feedback.arrivals.len().min(usize::from(u16::MAX));
    let arrivals = feedback.arrivals.get(..most).unwrap_or_default();
    out.put_u32(feedback.sender);
    out.put_u32(feedback.media);
    out.put_u16(feedback.base);
    out.put_u16(most as u16);
    out.put_u32((feedback.reference as u32) << 8 | u32::from(feedback.count)); // 24 bits, modulo
    let mut rest = arrivals;
    while !rest.is_empty() {
        rest = put_chunk(rest, out);
    }
    for time in arrivals.iter().flatten() {
        let step = time / STEP;
        match u8::try_from(step) {
            Ok(small) => out.put_u8(small),
            Err(_) => out.put_i16(step.clamp(i16::MIN.into(), i16::MAX.into()) as i16),
        }
    }
}

/// Appends the status chunk that says most of what comes next; what it does not say.
fn put_chunk<'a>(arrivals: &'a [Option<i32>], out: &mut Vec<u8>) -> &'a [Option<i32>] {
    let symbols = || arrivals.iter().map(|arrival| Symbol::of(*arrival));
    let first = symbols().next().unwrap_or(Symbol::Lost);
    let run = symbols().take(RUN_MAX).take_while(|symbol| *symbol == first).count();
    let bits = symbols().take(BITS).take_while(|symbol| *symbol != Symbol::Large).count();
    let whole = bits == BITS.min(arrivals.len());
    let said = if run >= if whole { BITS } else { PAIRS } || run == arrivals.len() {
        out.put_u16((first as u16) << 13 | run as u16);
        run
    } else if whole {
        let vector = symbols().take(BITS).zip((0..BITS).rev()).map(|(symbol, at)| (symbol as u16) << at);
        out.put_u16(0x8000 | vector.sum::<u16>());
        BITS
    } else {
        let vector = symbols().take(PAIRS).zip((0..PAIRS).rev());
        out.put_u16(0xc000 | vector.map(|(symbol, at)| (symbol as u16) << (2 * at)).sum::<u16>());
        PAIRS
    };
    arrivals.get(said..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtcp::{RTPFB, Rtcp, TRANSPORT_CC, parse};
    use crate::tests::hex;
    use proptest::prelude::*;

    fn one(text: &str) -> Rtcp {
        read_back(&hex(text))
    }

    fn read_back(data: &[u8]) -> Rtcp {
        let mut packets: Vec<Rtcp> = parse(data).map(Result::unwrap).collect();
        assert_eq!(packets.len(), 1);
        packets.remove(0)
    }

    #[test]
    fn transport_feedback() {
        let text = "8f cd 0007 00000001 00000002 // FMT=15
                    0010 000c fffffe 05 // base sequence, 12 statuses, reference time, feedback count
                    2003 // run of three small deltas
                    a000 // one-bit vector: 1, then 13 zeros of which 8 are left... ";
        // 3 of the run, 9 of the vector: numbers 0x10 to 0x12 and 0x13 arrived.
        let deltas = "04 08 0c 10 00000000";
        let Rtcp::TransportFeedback(feedback) = one(&format!("{text}\n{deltas}")) else {
            panic!("not feedback")
        };
        assert_eq!((feedback.base, feedback.reference, feedback.count), (0x10, -2, 5));
        let mut arrivals = vec![None; 12];
        arrivals[..4].copy_from_slice(&[Some(1000), Some(2000), Some(3000), Some(4000)]);
        assert_eq!(feedback.arrivals, arrivals);
    }

    #[test]
    fn transport_feedback_with_large_steps() {
        let text = "8f cd 0006 00000001 00000002 // FMT=15
                    ffff 0003 000001 00 // base sequence, 3 statuses
                    e400 // two-bit vector: 10 01 00, large, small, lost
                    ff38 04 0000 00 // -200 and 4 steps of 250 us, padding";
        let Rtcp::TransportFeedback(feedback) = one(text) else { panic!("not feedback") };
        assert_eq!(feedback.arrivals, [Some(-50_000), Some(1000), None]);
    }

    /// Transport feedback as a receiver writes it, seven statuses a chunk.
    fn told(arrivals: &[Option<i16>]) -> Vec<u8> {
        let mut body = vec![0; 16];
        body[10..12].copy_from_slice(&(arrivals.len() as u16).to_be_bytes());
        let small = |step: i16| (0..256).contains(&step);
        let symbol = |step: &Option<i16>| step.map_or(0, |step| if small(step) { 1u16 } else { 2 });
        for chunk in arrivals.chunks(7) {
            let symbols = chunk.iter().zip((0..7).rev()).map(|(step, place)| symbol(step) << (2 * place));
            body.put_u16(0xc000 | symbols.sum::<u16>());
        }
        for step in arrivals.iter().flatten() {
            if small(*step) { body.put_u8(*step as u8) } else { body.put_i16(*step) }
        }
        body.resize(body.len().next_multiple_of(4), 0);
        let mut data = vec![0x80 | TRANSPORT_CC, RTPFB];
        data.put_u16((body.len() / 4) as u16);
        [data, body].concat()
    }

    fn written(feedback: &TransportFeedback) -> Vec<u8> {
        let mut out = Vec::new();
        Rtcp::TransportFeedback(feedback.clone()).put(&mut out);
        out
    }

    #[test]
    fn chunks_are_the_shortest() {
        let feedback = |arrivals: Vec<Option<i32>>| {
            let feedback =
                TransportFeedback { sender: 1, media: 2, count: 3, reference: -1, base: 0xfffe, arrivals };
            assert_eq!(read_back(&written(&feedback)), Rtcp::TransportFeedback(feedback.clone()));
            let chunks = written(&feedback).len() - 20;
            chunks - feedback.arrivals.iter().flatten().count() // as if all steps were small
        };
        assert_eq!(feedback(vec![Some(250); 98]), 2, "a run");
        assert_eq!(
            feedback([vec![Some(0)], vec![None; 8191], vec![Some(0)]].concat()),
            6,
            "14, a run, a run"
        );
        assert_eq!(feedback([Some(0), None].repeat(14)), 4 + 2, "two vectors, and up to the word");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            fields in any::<(u32, u32, u8, u16)>(),
            reference in -0x80_0000..0x80_0000i32,
            steps in prop::collection::vec(
                prop_oneof![
                    3 => Just(None),
                    3 => (0i32..256).prop_map(Some),
                    1 => (-32_768i32..32_768).prop_map(Some),
                ],
                0..300,
            ),
            run in (0usize..20_000, any::<bool>()),
        ) {
            let (sender, media, count, base) = fields;
            let mut arrivals: Vec<_> = steps.iter().map(|step| step.map(|step| step * STEP)).collect();
            let (length, lost) = run;
            arrivals.extend(vec![(!lost).then_some(STEP); length]);
            let feedback = TransportFeedback { sender, media, count, reference, base, arrivals };
            prop_assert_eq!(read_back(&written(&feedback)), Rtcp::TransportFeedback(feedback));
        }

        #[test]
        fn every_arrival_is_read(arrivals in prop::collection::vec(any::<Option<i16>>(), 1..300)) {
            let Rtcp::TransportFeedback(feedback) = read_back(&told(&arrivals)) else { panic!("not feedback") };
            let expected: Vec<_> = arrivals.iter().map(|step| step.map(|step| i32::from(step) * 250)).collect();
            prop_assert_eq!(&feedback.arrivals, &expected);
        }
    }
}
