//! The table as a page of the documentation.

use super::Table;
use super::row::Row;
use std::fmt::Write;

const ABOUT: &str = "\
# Performance

What Headwater needs for its work, measured beside two others in the same run on the same machine: a *floor* program
that does nothing but `send` (or `recv`) the same bytes, and nginx with its RTMP module. Clocks and processors differ, so compare
within one page, not across pages.

- CPU is seconds of processor time, user and kernel, for each GB (10⁹ bytes) delivered or published. *User* is the
  part spent in the server's own code.
- A player is *fed* when it got at least 98 % of the stream, less the half second that may be on its way when
  measuring starts and ends. The *worst* player's share has no such allowance.
- Streams are made up: H.264 and AAC, 25 pictures a second, a key picture every 2 s, 2.1 Mb/s. Load and server share
  the machine, over loopback, so part of what the kernel does to receive is counted for the server; that is the same
  for all.
- A batch (350 ms, 40 ms) is `mw_latency`. Without it Headwater sends at once when idle, and in batches under load.
  A server that cannot keep up with its batch sends later and more at a time, which costs less CPU: look at the
  median latency beside it, which is half the batch when it does keep up.

- *By turns* means that the compared servers or ways were measured there and back again within a few minutes, and
  their turns added up, because clocks drift. What MPEG-TS and WebSocket add to the bytes is counted as delivered.
- HLS segments are those of a live stream of 2 s a segment. Headwater sends them from memory; nginx has the same
  files on disk (in the page cache) and sends them with `sendfile`. Half a thousand are fetched each second, over
  connections that stay open.
- WebRTC is told by the packet: CPU microseconds of the server for each RTP packet that its viewers received, or its
  publishers sent. Every peer is a whole one, with ICE, DTLS, AES-GCM, receiver reports and transport-wide feedback, on
  a UDP socket of its own; joining is over before measuring starts. A viewer is *fed* when it got at least 98 % of
  the packets of the best one. Viewers take joined datagrams (GRO), so that over loopback a burst stays in one piece
  from the server's send to them; a network card without segmentation offload costs more. Publishers send each
  packet by itself, as browsers do. The floor sends the same sizes in the same batches to as many sockets, without
  encryption.
- *WHIP in* is H.264 with Opus at 48 kb/s, whose packets are forwarded; *RTMP in* is H.264 with AAC, which is made
  into packets and Opus once for all viewers. Latency of pictures is from the publisher's write to the last packet of
  the picture; of sound, from the moment at which the packet's first sample was published, found by the sender
  reports of both tracks, so the packet's own 20 ms count too.
- What two workers carry is told by arithmetic, since load and server share the machine: twice what one packet costs
  with one worker, over what it costs with two. 2.0 is a second core that is as good as the first.

Make this page for your machine with `cargo xtask bench`, or `headwater bench table --write-docs` in the root of a
clone; it takes about half an hour. One kind of work alone: `headwater bench table --only http-play` (or `segments`,
`webrtc`, …), which prints and writes nothing.

Against a server that runs already, on this machine:

```
headwater bench publish rtmp://127.0.0.1/live/s{} --publishers 300
headwater bench play http://127.0.0.1:8080/live/s{}.ts --streams 300 --players 2000
headwater bench segments http://127.0.0.1:8080/live/s0.m3u8 --connections 5000 --rate 500
headwater bench publish 'http://127.0.0.1:1985/rtc/v1/whip/?app=live&stream=w{}' --publishers 100
headwater bench play 'http://127.0.0.1:1985/rtc/v1/whep/?app=live&stream=w0' --players 100 --connect-rate 50
```

`--pid` tells CPU and memory of the server beside what it delivered. For a long run with every output on:

```
headwater bench soak --streams 300 --minutes 10
```

It starts a server of its own with HLS, LL-HLS, DASH and recording (those of them that the server has), publishes the
streams, reads a few of them back whole from every output and counts each missing or repeated frame, looks at memory
every ten seconds, and says at the end what was not as it must be. Recordings go to a temporary folder (`TMPDIR`) and
are deleted as they are finished; at 300 streams of 500 kb/s keep 2 GB free. `--bitrate` chooses what the machine
carries: load and server share it.
";

/// The whole page.
pub(crate) fn document(table: &Table) -> String {
    let machine = &table.machine;
    let mut page = format!("{ABOUT}\n## {}\n\n", machine.date);
    let quick = if table.quick { " This was the quick, smaller run." } else { "" };
    // writing to a String cannot fail
    let _ = writeln!(
        page,
        "{}, {} cores, Linux {}, commit {}.{quick}\n",
        machine.cpu, machine.cores, machine.kernel, machine.commit
    );
    page.push_str("| Work | Server | Result | Target | Met |\n| --- | --- | --- | --- | --- |\n");
    table.rows.iter().for_each(|row| page.push_str(&line(row)));
    page
}

fn line(row: &Row) -> String {
    let met = row.met.map_or("", |met| if met { "yes" } else { "**no**" });
    let cells = [&row.work, &row.server, &row.result, row.target.as_deref().unwrap_or(""), met];
    let cells = cells.map(|cell| cell.replace('|', "\\|").replace('\n', " "));
    format!("| {} |\n", cells.join(" | "))
}

#[cfg(test)]
mod tests {
    use super::super::machine::Machine;
    use super::super::row;
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_page_tells_machine_results_and_what_was_missed() {
        let machine = Machine {
            cpu: "CPU 3000".into(),
            cores: 2,
            kernel: "6.1".into(),
            date: "2026-01-31".into(),
            commit: "abc".into(),
        };
        let rows = vec![
            row::start("start".into(), "Headwater".into(), Duration::from_millis(50)),
            row::start("start".into(), "Headwater".into(), Duration::from_millis(500)),
            row::failed("a|b".into(), "S", &"two\nlines"),
        ];
        let page = document(&Table { machine, quick: false, rows });
        assert!(page.contains("## 2026-01-31\n\nCPU 3000, 2 cores, Linux 6.1, commit abc.\n"), "{page}");
        assert!(page.contains("| start | Headwater | 50.0 ms | < 100 ms | yes |\n"), "{page}");
        assert!(page.contains("| 500.0 ms | < 100 ms | **no** |\n"), "{page}");
        assert!(page.contains("| a\\|b | S | could not be measured: two lines |  |  |\n"), "{page}");
    }
}
