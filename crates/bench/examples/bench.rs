//! The load generator without the server, for measuring other servers: `cargo run --release --example bench`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let called_bench = std::env::args_os().nth(1).is_some_and(|word| word == "bench");
    headwater_bench::run(std::env::args_os().skip(usize::from(called_bench)))
}
