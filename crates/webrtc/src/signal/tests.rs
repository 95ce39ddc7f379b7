//! Signalling from request to answer, without a network: what clients are told, and what is left behind.

use super::*;
use crate::offer::tests::sample;
use crate::{Identity, WebRtc};
use axum::body::Body;
use axum::response::Response;
use headwater_conf::{Conf, Env, Source};
use headwater_hub::{Admission, Answer, Grant, Hub, Options, Refusal, Request as Wanted, StreamName};
use http::Request;
use parking_lot::Mutex;
use tower::ServiceExt;

/// Lets everybody in, or refuses everybody with a code; it keeps what it was asked.
#[derive(Debug, Default)]
struct Door {
    refuses: Option<u32>,
    asked: Mutex<Vec<Wanted>>,
}

impl Admission for Door {
    fn ask<'a>(&'a self, request: &'a Wanted) -> Answer<'a> {
        self.asked.lock().push(request.clone());
        let name = StreamName::new("__defaultVhost__", &request.app, &request.stream);
        let refusal = |code| Refusal { code, reason: "not today".into() };
        let answer = match self.refuses {
            Some(code) => Err(refusal(code)),
            None => name.map(|name| Grant { name }).map_err(|_| refusal(2051)),
        };
        Box::pin(std::future::ready(answer))
    }
}

struct Site {
    gateway: Arc<WebRtc>,
    door: Arc<Door>,
}

/// What came back.
struct Told {
    status: u16,
    fields: HeaderMap,
    body: String,
}

impl Told {
    fn field(&self, name: &str) -> &str {
        self.fields.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl Site {
    fn new(rtc: &str, refuses: Option<u32>) -> Site {
        let text = format!(
            "listen 1935; max_connections 1000; rtc_server {{ enabled on; candidate 192.0.2.7; protocol all; }} \
             vhost __defaultVhost__ {{ rtc {{ enabled on; {rtc} }} }}"
        );
        let conf = Conf::load(Source::Text { name: "test".into(), text }, &Env::empty()).unwrap().conf;
        let door = Arc::new(Door { refuses, ..Door::default() });
        let runtime = tokio::runtime::Handle::current();
        let gateway = WebRtc::new(
            Hub::new(|_| Options::default()),
            door.clone(),
            Arc::new(conf),
            runtime,
            Identity { server: "S".into(), service: "T".into(), pid: "1".into() },
        );
        gateway.share_tcp(8000);
        Site { gateway, door }
    }

    async fn send(&self, method: &str, path: &str, fields: &[(&str, &str)], body: impl Into<Body>) -> Told {
        let mut request = Request::builder().method(method).uri(path).header("Host", "h.example:1985");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.body(body.into()).unwrap();
        let response: Response = router(self.gateway.clone()).oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        Told {
            status: parts.status.as_u16(),
            fields: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    async fn offer(&self, path: &str, offer: &str) -> Told {
        self.send("POST", path, &[("Content-Type", "application/sdp")], offer.to_owned()).await
    }

    fn sessions(&self) -> usize {
        self.gateway.registry.statuses().len()
    }
}

const WHIP: &str = "/rtc/v1/whip/?app=live&stream=s";
const WHEP: &str = "/rtc/v1/whep/?app=live&stream=s";
const FRAGMENT: (&str, &str) = ("Content-Type", "application/trickle-ice-sdpfrag");
const ALL: (&str, &str) = ("If-Match", "*");

#[tokio::test]
async fn a_session_from_offer_to_end() {
    let site = Site::new("", None);
    let made = site.offer(WHIP, &sample("sendonly")).await;
    assert_eq!((made.status, made.field("content-type")), (201, "application/sdp"));
    assert!(made.body.contains("a=ice-lite") && made.body.contains("s=SRSPublishSession"), "{}", made.body);
    assert!(made.field("access-control-expose-headers").contains("Location, ETag, Link"));
    assert_eq!(made.field("link"), "");
    let (url, tag) = (made.field("location"), made.field("etag"));
    assert!(url.starts_with("/rtc/v1/whip/?action=delete&token="), "{url}");
    assert!(tag.starts_with('"') && tag.ends_with(":peer\""), "{tag}");
    assert_eq!(site.sessions(), 1);

    let late =
        "a=ice-ufrag:peer\r\na=ice-pwd:0123456789abcdefghijkl\r\na=candidate:1 1 udp 1 192.0.2.1 1 typ host";
    let patch =
        async |fields: &[(&str, &str)], body: &'static str| site.send("PATCH", url, fields, body).await;
    assert_eq!(patch(&[FRAGMENT, ("If-Match", tag)], late).await.status, 204);
    assert_eq!(patch(&[FRAGMENT], late).await.status, 428);
    assert_eq!(patch(&[FRAGMENT, ("If-Match", "\"other\"")], late).await.status, 412);
    assert_eq!(patch(&[("Content-Type", "application/sdp"), ALL], late).await.status, 415);
    assert_eq!(patch(&[FRAGMENT, ALL], "hello").await.status, 400);

    let restart = "a=ice-ufrag:new1\r\na=ice-pwd:0123456789abcdefghijkl\r\n";
    let again = patch(&[FRAGMENT, ALL], restart).await;
    assert_eq!((again.status, again.field("content-type")), (200, FRAGMENT.1));
    assert!(again.field("etag").ends_with(":new1\"") && again.field("etag") != tag);
    assert!(again.body.contains("a=ice-pwd:") && again.body.contains("192.0.2.7"), "{}", again.body);
    assert_eq!(patch(&[FRAGMENT, ("If-Match", tag)], late).await.status, 412, "that ICE session is over");
    assert_eq!(patch(&[FRAGMENT, ALL], restart).await.status, 204, "the same restart twice is one");

    for method in ["GET", "HEAD", "PUT", "POST"] {
        let told = site.send(method, url, &[], Body::empty()).await;
        assert_eq!((told.status, told.field("allow")), (405, "OPTIONS, PATCH, DELETE"), "{method}");
    }
    let forged = url.replace("token=", "token=x");
    assert_eq!(site.send("DELETE", &forged, &[], Body::empty()).await.status, 403);
    assert_eq!(site.sessions(), 1);
    assert_eq!(site.send("DELETE", url, &[], Body::empty()).await.status, 200);
    assert_eq!(site.sessions(), 0);
    assert_eq!(site.send("DELETE", url, &[], Body::empty()).await.status, 404, "it is over");
    assert_eq!(patch(&[FRAGMENT, ALL], restart).await.status, 404);
}

#[tokio::test]
async fn endpoints_say_what_they_take() {
    let site = Site::new("", None);
    let asked = site.send("OPTIONS", WHIP, &[], Body::empty()).await;
    assert_eq!((asked.status, asked.field("accept-post")), (204, "application/sdp"));
    assert_eq!(asked.field("access-control-allow-origin"), "*");
    assert!(asked.field("access-control-allow-headers").contains("Authorization"));
    for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE"] {
        let told = site.send(method, WHEP, &[], Body::empty()).await;
        assert_eq!((told.status, told.field("allow")), (405, "OPTIONS, POST"), "{method}");
    }
    let offer = sample("recvonly");
    let with = async |fields: &[(&str, &str)]| site.send("POST", WHEP, fields, offer.clone()).await.status;
    assert_eq!(with(&[("Content-Type", "application/json")]).await, 415);
    assert_eq!(with(&[("Accept", "text/html, application/json;q=0.5")]).await, 406);
    assert_eq!(with(&[("Accept", "text/html, application/*;q=0.5")]).await, 201);
    assert_eq!(with(&[("Accept", "*/*")]).await, 201);
    assert_eq!(site.offer(&format!("{WHEP}&session=mine&token=mine"), &offer).await.status, 201);
    assert_eq!(site.offer(WHEP, &"a".repeat(70_000)).await.status, 413);
    assert_eq!(site.send("POST", WHEP, &[], vec![0xff, 0xfe]).await.status, 400);
    assert_eq!(site.offer(&format!("{WHEP}&encrypt=false"), &offer).await.status, 400);
}

#[tokio::test]
async fn refusals_tell_the_reason_and_leave_nothing() {
    for (code, status) in [(1053, 403), (1054, 403), (2014, 404), (2051, 400), (4007, 401)] {
        let site = Site::new("", Some(code));
        let told = site.offer(WHIP, &sample("sendonly")).await;
        assert_eq!((told.status, told.body.as_str()), (status, "not today\n"), "{code}");
        assert_eq!(told.field("www-authenticate") == "Bearer", status == 401);
        assert_eq!(site.sessions(), 0);
        assert!(!site.gateway.hub.streams().iter().any(|stream| stream.name().stream() == "s"));
    }
    let site = Site::new("", Some(4007));
    let bearer = ("Authorization", "Bearer my-key");
    let told = site.send("POST", WHIP, &[bearer], sample("sendonly")).await;
    assert_eq!(told.status, 403, "who has shown credentials is not asked for them");
    assert_eq!(site.door.asked.lock()[0].param, "?app=live&stream=s&token=my-key");
}

#[tokio::test]
async fn the_waiting_of_one_address_are_few() {
    let site = Site::new("", None);
    let mut made = 0;
    for _ in 0..600 {
        let told = site.offer(WHEP, &sample("recvonly")).await;
        match told.status {
            201 => made += 1,
            status => assert_eq!((status, told.field("retry-after")), (503, "5"), "{}", told.body),
        }
    }
    assert_eq!((made, site.sessions()), (256, 256));
    assert_eq!(site.door.asked.lock().len(), 256, "nobody is asked about what is refused anyway");
}

#[tokio::test]
async fn bombs_are_refused() {
    let site = Site::new("", None);
    let good = sample("sendonly");
    let section = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:2\r\na=rtcp-mux\r\na=sendonly\r\n";
    let codecs: String = (0..128).map(|pt| format!("a=rtpmap:{pt} H264/90000\r\n")).collect();
    for bomb in [
        "v=0\r\n".repeat(4000),
        good.clone() + &section.repeat(20),
        good.clone() + &section.repeat(2),
        good.clone() + &"a=candidate:1 1 udp 1 192.0.2.1 1 typ host\r\n".repeat(1900),
        good.clone() + &codecs.repeat(8),
        good.replace("m=video 9 UDP/TLS/RTP/SAVPF", "m=video 9 RTP/AVP"),
        good.replace("m=video", "m=application"),
        good.replace("a=mid:1", "a=mid:0"),
        good.replace("sha-256 AB", "sha-256 ZZ"),
        good.replace("v=0", "v=1"),
        "\0".repeat(60_000),
    ] {
        let told = site.offer(WHIP, &bomb).await;
        assert!((400..500).contains(&told.status), "{} {}", told.status, told.body);
    }
    assert_eq!(site.sessions(), 0);
}

#[tokio::test]
async fn user_names_are_one_sessions() {
    let site = Site::new("", None);
    let chosen = format!("{WHEP}&ice-ufrag=mine&ice-pwd=0123456789abcdefghijkl");
    let made = site.offer(&chosen, &sample("recvonly")).await;
    assert!(made.body.contains("a=ice-ufrag:mine\r\n"), "{}", made.body);
    let other = site.offer(&chosen, &sample("recvonly")).await;
    assert_eq!(other.status, 409, "{}", other.body);
    assert_eq!(site.send("DELETE", made.field("location"), &[], Body::empty()).await.status, 200);
    for bad in
        ["ice-ufrag=abc&ice-pwd=0123456789abcdefghijkl", "ice-ufrag=a%0D%0Ab&ice-pwd=0123456789abcdefghijkl"]
    {
        assert_eq!(site.offer(&format!("{WHEP}&{bad}"), &sample("recvonly")).await.status, 400, "{bad}");
    }
}

#[tokio::test]
async fn directives_shape_the_answer() {
    let answer = async |rtc: &str| Site::new(rtc, None).offer(WHIP, &sample("sendonly")).await.body;
    let usual = answer("").await;
    for line in [
        "a=rtcp-fb:96 nack\r\n",
        "a=rtpmap:97 rtx/90000",
        "transport-cc",
        "transport-wide-cc",
        "a=setup:passive",
    ] {
        assert!(usual.contains(line), "{line}: {usual}");
    }
    let quiet = answer("nack off; twcc off; dtls_role active;").await;
    for line in ["a=rtcp-fb:96 nack\r\n", "rtx/90000", "transport-cc", "transport-wide-cc", "a=setup:passive"]
    {
        assert!(!quiet.contains(line), "{line}: {quiet}");
    }
    for line in ["a=rtcp-fb:96 nack pli\r\n", "a=setup:active"] {
        assert!(quiet.contains(line), "{line}: {quiet}");
    }
}

#[tokio::test]
async fn json_calls_have_srs_shapes() {
    let site = Site::new("", None);
    let call = |path: &str, way: &str| {
        let body = serde_json::json!({
            "api": "http://h:1985/rtc/v1/play/", "streamurl": "webrtc://h.example/live/s?k=v",
            "clientip": null, "tid": "5f0e1d2", "sdp": sample(way),
        });
        (path.to_owned(), body.to_string())
    };
    let post = async |(path, body): (String, String)| -> serde_json::Value {
        let told = site.send("POST", &path, &[], body).await;
        assert_eq!((told.status, told.field("access-control-allow-origin")), (200, "*"));
        serde_json::from_str(&told.body).unwrap()
    };
    let played = post(call("/rtc/v1/play/", "recvonly")).await;
    assert_eq!((&played["code"], &played["server"], &played["pid"]), (&0.into(), &"S".into(), &"1".into()));
    assert!(played["sessionid"].as_str().unwrap().ends_with(":peer"));
    assert!(played["sdp"].as_str().unwrap().contains("s=SRSPlaySession"));
    let published = post(call("/rtc/v1/publish/?encrypt=false", "sendonly")).await;
    assert_eq!(published["code"], 0, "{published}");
    let params: Vec<String> = site.door.asked.lock().iter().map(|asked| asked.param.clone()).collect();
    assert_eq!(params, ["?k=v", "?k=v&upstream=rtc"]);
    for (path, body) in [
        call("/rtc/v1/play/?encrypt=false", "recvonly"),
        call("/rtc/v1/play/", "sendonly"),
        ("/rtc/v1/play/".into(), "{".into()),
        ("/rtc/v1/publish/".into(), "{\"sdp\":\"\"}".into()),
        ("/rtc/v1/publish/".into(), "{\"sdp\":\"\",\"streamurl\":\"webrtc://h\"}".into()),
    ] {
        let told = post((path.clone(), body)).await;
        assert!(told["code"] == 400 && told["reason"].is_string(), "{path}: {told}");
    }
    assert_eq!(post(("/rtc/v1/nack/?username=x&drop=3".into(), String::new())).await["code"], 5023);
    assert_eq!(post(("/rtc/v1/nack/".into(), String::new())).await["code"], 5022);
}
