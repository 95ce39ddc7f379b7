//! The bounded reader itself: whatever is asked of it, it never reads past the end.

use headwater_media::Reader;

pub(super) fn run(data: &[u8]) {
    let (asked, data) = data.split_at(data.len() / 2);
    let mut reader = Reader::new(data);
    for ask in asked {
        let before = reader.position();
        let read = match ask % 8 {
            0 => reader.u8().is_ok(),
            1 => reader.u16().is_ok(),
            2 => reader.u24().is_ok(),
            3 => reader.u32_le().is_ok(),
            4 => reader.f64().is_ok(),
            5 => reader.skip(usize::MAX - usize::from(*ask)).is_ok(),
            6 => reader.bytes(usize::from(*ask)).is_ok(),
            _ => reader.array::<3>().is_ok(),
        };
        assert!(read || reader.position() == before, "a short read moved the position");
        assert_eq!(reader.position() + reader.left(), data.len());
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    vec![(0..=255).collect(), vec![5; 32]]
}
