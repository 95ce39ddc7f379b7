//! WebRTC before anybody has proved anything: offers up to the answer, late candidates, SRS's calls, first packets.

use headwater_webrtc::fuzz;

pub(super) fn run_offer(data: &[u8]) {
    fuzz::offer(data);
}

pub(super) fn run_fragment(data: &[u8]) {
    fuzz::fragment(&String::from_utf8_lossy(data));
}

pub(super) fn run_call(data: &[u8]) {
    fuzz::call(&String::from_utf8_lossy(data));
}

pub(super) fn run_stun(data: &[u8]) {
    fuzz::packet(data);
}

pub(super) fn run_red(data: &[u8]) {
    fuzz::redundant(data);
}

pub(super) fn seeds_red() -> Vec<Vec<u8>> {
    let block = |offset: u16, length: u16| {
        [0x80 | 111, (offset >> 6) as u8, (offset << 2) as u8 | (length >> 8) as u8, length as u8]
    };
    vec![
        [&block(960, 3)[..], &[111, 1, 2, 3, 9, 8]].concat(),
        [&block(1920, 2)[..], &block(960, 1), &[111, 1, 2, 3, 9]].concat(),
        vec![111, 7],
    ]
}

const TRANSPORT: &str = "c=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\na=ice-ufrag:peer\r\n\
     a=ice-pwd:0123456789abcdefghijkl\r\na=ice-options:trickle\r\na=fingerprint:sha-256 \
     AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB\r\n\
     a=setup:actpass\r\na=rtcp-mux\r\na=rtcp-rsize\r\n";

const SOUND: &str = "m=audio 9 UDP/TLS/RTP/SAVPF 111 63 0 8\r\n@a=mid:0\r\n\
     a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n\
     a=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n\
     a=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n";

const PICTURES: &str = "m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103 45 98 49\r\n@a=mid:1\r\n\
     a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\na=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n\
     a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n\
     a=rtpmap:102 H264/90000\r\na=rtcp-fb:102 nack\r\na=rtcp-fb:102 ccm fir\r\n\
     a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f\r\n\
     a=rtpmap:103 rtx/90000\r\na=fmtp:103 apt=102\r\na=rtpmap:45 AV1/90000\r\n\
     a=fmtp:45 level-idx=5;profile=0;tier=0\r\na=rtpmap:98 VP9/90000\r\na=fmtp:98 profile-id=0\r\n\
     a=rtpmap:49 H265/90000\r\na=fmtp:49 level-id=180;profile-id=1;tier-flag=0;tx-mode=SRST\r\n";

fn offer(choice: u8, way: &str, more: &str) -> Vec<u8> {
    let transport = format!("{TRANSPORT}a={way}\r\n");
    let sections = [SOUND, PICTURES].concat().replace('@', &transport);
    let session = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n\
                   a=extmap-allow-mixed\r\na=msid-semantic: WMS s\r\n";
    [&[choice], format!("{session}{sections}{more}").as_bytes()].concat()
}

pub(super) fn seeds_offer() -> Vec<Vec<u8>> {
    vec![
        offer(0, "sendonly", "a=rid:h send\r\na=rid:l send\r\na=simulcast:send h;l\r\n"),
        offer(1, "recvonly", ""),
        offer(
            6,
            "sendrecv",
            "a=ssrc-group:FID 1 2\r\na=ssrc:1 cname:c\r\na=ssrc:1 msid:s t\r\na=ssrc:2 cname:c\r\n",
        ),
        offer(9, "recvonly", "a=candidate:1 1 udp 2113937151 192.0.2.1 50000 typ host generation 0\r\n"),
    ]
}

pub(super) fn seeds_fragment() -> Vec<Vec<u8>> {
    vec![
        b"a=ice-ufrag:them\r\na=ice-pwd:0123456789abcdefghijkl\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n\
          a=candidate:1 1 udp 2113937151 192.0.2.1 50000 typ host\r\na=end-of-candidates\r\n"
            .to_vec(),
        b"a=ice-ufrag:new1\r\na=ice-pwd:0123456789abcdefghijkl\r\n".to_vec(),
    ]
}

pub(super) fn seeds_call() -> Vec<Vec<u8>> {
    vec![
        br#"{"api":"http://h:1985/rtc/v1/play/","streamurl":"webrtc://h:8/live/cam?k=v","clientip":null,"tid":"5f","sdp":"v=0\r\n"}"#
            .to_vec(),
        b"app=live&stream=a%2Fb&token=%zz&eip=192.0.2.7:8000&&x".to_vec(),
    ]
}

pub(super) fn seeds_stun() -> Vec<Vec<u8>> {
    let attributes = [
        &[0, 6, 0, 9][..],
        b"ours:them",
        &[0, 0, 0],
        &[0, 0x24, 0, 4, 0x6e, 0x7f, 0x1e, 0xff],
        &[0x80, 0x2a, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8],
        &[0, 0x25, 0, 0],
        &[0, 8, 0, 20],
        &[7; 20],
        &[0x80, 0x28, 0, 4, 1, 2, 3, 4],
    ]
    .concat();
    let header = [&[0, 1, 0, attributes.len() as u8, 0x21, 0x12, 0xa4, 0x42][..], &[9; 12]].concat();
    vec![
        [header, attributes].concat(),
        vec![22, 0xfe, 0xfd, 0, 0, 0],
        vec![0x80, 96, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2],
    ]
}
