//! G.711: eight bits a sample to linear and back, full scale ±1 (ITU-T G.711 tables 1a and 2a).

/// One A-law sample.
pub(crate) fn a_law(coded: u8) -> f32 {
    let coded = coded ^ 0x55;
    let mantissa = i32::from(coded & 0x0f) << 4;
    let magnitude = match coded >> 4 & 0x07 {
        0 => mantissa + 8,
        segment => (mantissa + 0x108) << (segment - 1),
    };
    scale(if coded & 0x80 == 0 { -magnitude } else { magnitude })
}

/// One mu-law sample.
pub(crate) fn mu_law(coded: u8) -> f32 {
    let coded = !coded;
    let mantissa = i32::from(coded & 0x0f) << 3;
    let magnitude = ((mantissa + 0x84) << (coded >> 4 & 0x07)) - 0x84;
    scale(if coded & 0x80 == 0 { magnitude } else { -magnitude })
}

/// The A-law code of a sample; what is beyond full scale becomes full scale.
pub(crate) fn to_a_law(sample: f32) -> u8 {
    let sample = whole(sample);
    let magnitude = if sample < 0 { !sample } else { sample };
    let coded = if magnitude < 0x100 { magnitude >> 4 } else { floating(magnitude) };
    (if sample < 0 { coded } else { coded | 0x80 }) as u8 ^ 0x55
}

/// The mu-law code of a sample; what is beyond full scale becomes full scale.
pub(crate) fn to_mu_law(sample: f32) -> u8 {
    const LARGEST: i32 = 0x7fff - 0x84;
    let sample = whole(sample);
    let coded = floating(sample.abs().min(LARGEST) + 0x84);
    !((if sample < 0 { coded | 0x80 } else { coded }) as u8)
}

/// Three bits of exponent and four of mantissa of a magnitude from 0x80 to 0x7fff.
fn floating(magnitude: i32) -> i32 {
    let segment = (magnitude >> 7).ilog2() as i32;
    segment << 4 | magnitude >> (segment + 3) & 0x0f
}

/// As a sample of 16 bits. Conversion of floats saturates.
fn whole(sample: f32) -> i32 {
    i32::from((sample * 32_768.0).round() as i16)
}

fn scale(sample: i32) -> f32 {
    sample as f32 / 32_768.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decision values of the tables, as 16-bit samples.
    #[test]
    fn ends_and_middles_of_the_tables() {
        let whole = |x: f32| (x * 32_768.0) as i32;
        assert_eq!([0xd5, 0x55, 0xaa, 0x2a].map(|c| whole(a_law(c))), [8, -8, 32_256, -32_256]);
        assert_eq!([0xff, 0x7f, 0x80, 0x00].map(|c| whole(mu_law(c))), [0, 0, 32_124, -32_124]);
    }

    #[test]
    fn codes_survive_a_round_trip() {
        for code in 0..=255 {
            assert_eq!(to_a_law(a_law(code)), code);
            let zero = code == 0x7f; // the other of two zeros
            assert_eq!(to_mu_law(mu_law(code)), if zero { 0xff } else { code });
        }
    }

    /// Steps are at most 1/16 of the sample with the bias of mu-law, or 16.
    #[test]
    fn samples_become_the_code_whose_step_they_are_in() {
        for sample in -32_768..=32_767_i32 {
            let linear = sample as f32 / 32_768.0;
            let step = ((sample.abs() + 0x84) / 16).max(16) as f32 / 32_768.0;
            for coded in [a_law(to_a_law(linear)), mu_law(to_mu_law(linear))] {
                assert!((coded - linear).abs() <= step * 0.6, "{sample} became {coded}");
            }
        }
        assert_eq!([2.0, -2.0].map(to_a_law), [1.0, -1.0].map(to_a_law));
        assert_eq!([f32::INFINITY, -2.0].map(to_mu_law), [1.0, -1.0].map(to_mu_law));
    }
}
