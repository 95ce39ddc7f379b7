//! The check of HLS playlists: any text is answered, and a playlist is always a fit update of itself.

use headwater_playlist::{check, check_update};

pub(super) fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (first, second) = text.split_at(text.floor_char_boundary(text.len() / 2));
    let _ = (check(&text), check_update(first, second)); // a violation is as good an answer
    assert_eq!(check_update(&text, &text), Ok(()));
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let plain = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-TARGETDURATION:2\n#EXT-X-DISCONTINUITY-SEQUENCE:1\n\
        #EXT-X-KEY:METHOD=AES-128,URI=\"a.key\",IV=0x00000000000000000000000000000001\n#EXTINF:2.000,\na-7.ts\n\
        #EXT-X-DISCONTINUITY\n#EXTINF:1.900,\na-8.ts\n#EXT-X-ENDLIST\n";
    let edge = "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-MEDIA-SEQUENCE:4\n#EXT-X-TARGETDURATION:1\n\
        #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.5,HOLD-BACK=3.0,CAN-SKIP-UNTIL=6.0\n\
        #EXT-X-PART-INF:PART-TARGET=0.5\n#EXT-X-SKIP:SKIPPED-SEGMENTS=2\n#EXT-X-MAP:URI=\"i.mp4\"\n\
        #EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00.000Z\n#EXT-X-PART:DURATION=0.5,URI=\"6.0.m4s\",INDEPENDENT=YES\n\
        #EXTINF:0.5,\n6.m4s\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"7.0.m4s\"\n\
        #EXT-X-RENDITION-REPORT:URI=\"b.m3u8\",LAST-MSN=6,LAST-PART=0\n";
    let master =
        "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"avc1.640028,mp4a.40.2\",RESOLUTION=2x2\na.m3u8\n";
    [plain, edge, master].map(|text| text.as_bytes().to_vec()).to_vec()
}
