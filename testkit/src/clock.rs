//! A picture that carries the time at which it was made, so that whoever sees it knows how late it is.

use crate::{Publisher, Tool};

/// Squares from left to right along the upper edge, white for 1, the lowest bit first.
const BITS: u32 = 16;
/// Pixels of a square's side.
const SIDE: u32 = 20;
/// The clock counts so many a second, from the Unix epoch on, modulo 2^16.
const TICKS: u32 = 50;
/// Pictures a second, and from one key frame to the next.
const RATE: u32 = 25;

/// Publishes the clock, H.264 with a key frame every second, and a tone in AAC, until stopped. The encoder holds no
/// picture back.
pub fn publish(url: &str) -> Publisher {
    let mut command = Tool::Distribution.command();
    command.args(["-re", "-f", "lavfi", "-i", &format!("testsrc2=size=320x180:rate={RATE}")]);
    command.args(["-re", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"]);
    command.args(["-vf", &filter(), "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency"]);
    command.args(["-g", &RATE.to_string(), "-sc_threshold", "0", "-b:v", "300k", "-pix_fmt", "yuv420p"]);
    command.args(["-c:a", "aac", "-b:a", "64k", "-ar", "44100", "-ac", "2", "-f", "flv", url]);
    Publisher::spawn(command)
}

/// Wall-clock time stands in for the picture's own while the squares are drawn.
fn filter() -> String {
    let square = |bit: u32| {
        let (x, value) = (bit * SIDE, 1 << bit);
        let place = format!("x={x}:y=0:w={SIDE}:h={SIDE}:t=fill");
        let set = format!("gt(bitand(floor(t*{TICKS}),{value}),0)");
        format!("drawbox={place}:c=black,drawbox={place}:c=white:enable='{set}'")
    };
    let squares: Vec<String> = (0..BITS).map(square).collect();
    format!("settb=1/1000,setpts=RTCTIME/1000,{},settb=1/{RATE},setpts=N", squares.join(","))
}
