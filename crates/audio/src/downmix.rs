//! More than two channels into two (ITU-R BS.775 5.1: centre and surround at -3 dB, no LFE), scaled so that full
//! scale stays full scale.

use crate::decode::Block;

/// Weights on the left and on the right of the channels in the order of AAC's decoder: front left, front right,
/// centre, low frequencies (six channels and more), back or side.
fn weights(channels: usize, at: usize) -> (f32, f32) {
    const MINUS_3_DB: f32 = std::f32::consts::FRAC_1_SQRT_2;
    match (channels, at) {
        (_, 0) => (1.0, 0.0),
        (_, 1) => (0.0, 1.0),
        (_, 2) => (MINUS_3_DB, MINUS_3_DB),
        (4, 3) => (0.5, 0.5),
        (6.., 3) => (0.0, 0.0),
        (5, 3) => (MINUS_3_DB, 0.0),
        (5, _) => (0.0, MINUS_3_DB),
        (_, at) if at % 2 == 0 => (MINUS_3_DB, 0.0),
        _ => (0.0, MINUS_3_DB),
    }
}

/// Appends `planes` to `out`, as they are when there are one or two. Values beyond full scale are cut, those that are
/// no numbers are silence.
pub(crate) fn append(planes: &[&[f32]], out: &mut Block) {
    out.channels = planes.len().clamp(1, 2);
    if let 1..=2 = planes.len() {
        for (to, from) in out.planes.iter_mut().zip(planes) {
            to.extend(from.iter().copied().map(bounded));
        }
        return;
    }
    let weights: Vec<(f32, f32)> = (0..planes.len()).map(|at| weights(planes.len(), at)).collect();
    let full: f32 = weights.iter().map(|(left, _)| left).sum::<f32>().max(1.0);
    let samples = planes.iter().map(|plane| plane.len()).min().unwrap_or(0);
    let [left, right] = &mut out.planes;
    for i in 0..samples {
        let parts = planes.iter().zip(&weights).filter_map(|(plane, w)| plane.get(i).map(|x| (x, w)));
        let (l, r) = parts.fold((0.0, 0.0), |(l, r), (x, w)| (l + x * w.0, r + x * w.1));
        left.push(bounded(l / full));
        right.push(bounded(r / full));
    }
}

fn bounded(x: f32) -> f32 {
    if x.is_nan() { 0.0 } else { x.clamp(-1.0, 1.0) }
}
