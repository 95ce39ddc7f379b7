//! The load generator without the server, for measuring other servers: `cargo run --release --example bench`.

use std::process::ExitCode;

fn main() -> ExitCode {
    headwater_bench::run(std::env::args_os().skip(1).skip_while(|arg| arg == "bench"))
}
