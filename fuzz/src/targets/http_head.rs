//! The request head: whatever its length said, it was within what came; nothing shorter reads as a whole head.

use headwater_httplive::{Head, Mount};

pub(super) fn run(data: &[u8]) {
    let Ok(Some((head, length))) = Head::parse(data) else { return };
    assert!(length <= data.len(), "longer than what came");
    let (exact, _) = data.split_at(length);
    assert_eq!(Head::parse(exact), Ok(Some((head.clone(), length))), "what follows the head changed it");
    if let Some((_, shorter)) = exact.split_last() {
        assert!(!matches!(Head::parse(shorter), Ok(Some(_))), "a head without its end was taken for whole");
    }
    head.vhost();
    head.parameter("vhost");
    head.param();
    for template in ["[vhost]/[app]/[stream].flv", "/[app]/[stream].flv"] {
        if let Some(mount) = Mount::new(template, "__defaultVhost__") {
            mount.find(&head.path);
        }
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let heads = [
        "GET /live/demo.flv HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: x\r\nOrigin: http://a.example\r\n\r\n",
        "GET /live/demo.flv?vhost=a.example&token=1%20 HTTP/1.1\r\nHost: b\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        "GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.0\r\n\r\n",
        "POST /api/v1/clients/x HTTP/1.1\r\nHost: [::1]:1985\r\nContent-Length: 2\r\nReferer: http://c/d\r\n\r\n{}",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://a.example/live/demo.m3u8 HTTP/1.1\nHost: a\n\n",
    ];
    heads.iter().map(|head| head.as_bytes().to_vec()).collect()
}
