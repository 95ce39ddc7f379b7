//! G.711: eight bits a sample to linear, full scale ±1 (ITU-T G.711 tables 1a and 2a).

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
}
