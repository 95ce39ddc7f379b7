//! Who may read, who may change, and what other web sites may do.

use crate::world::{Answer, World};
use headwater_api::{Auth, Settings};
use headwater_hub::Session;
use http::Method;
use std::task::{Context, Waker};

const HERE: &str = "127.0.0.1:50000";
const THERE: &str = "203.0.113.9:50000";
const PASSWORD: (&str, &str) = ("authorization", "Basic YWRtaW46cHc="); // admin:pw
const WRONG: (&str, &str) = ("authorization", "Basic YWRtaW46cHg=");

fn locked() -> Settings {
    Settings { auth: Some(Auth { username: "admin".into(), password: "pw".into() }), ..Settings::default() }
}

fn is_kicked(session: &Session) -> bool {
    session.poll_kicked(&mut Context::from_waker(Waker::noop())).is_ready()
}

/// Publishes, sends the kick, and tells the answer and whether the client was ended.
async fn kick(settings: Settings, peer: &str, headers: &[(&str, &str)]) -> (Answer, bool) {
    let world = World::new(settings);
    let publisher = world.publish("cam1");
    let path = format!("/api/v1/clients/{}", publisher.session().id());
    let answer = world.ask(Method::DELETE, &path, peer, headers).await;
    let kicked = is_kicked(publisher.session());
    (answer, kicked)
}

#[tokio::test]
async fn clients_are_ended_from_this_machine() {
    let (answer, kicked) = kick(Settings::default(), HERE, &[]).await;
    assert!(kicked);
    assert_eq!(answer.json()["code"], 0);
    let keys: Vec<String> = answer.json().as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["code", "server", "service", "pid"]);
}

#[tokio::test]
async fn clients_are_not_ended_by_strangers() {
    for headers in [&[][..], &[("x-forwarded-for", "127.0.0.1")], &[PASSWORD]] {
        let (answer, kicked) = kick(Settings::default(), THERE, headers).await;
        assert!(!kicked);
        assert_eq!(answer.status, 401);
        let error = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(error.contains("http_api { auth { enabled on;"), "{error}");
    }
    let (answer, kicked) = kick(Settings::default(), HERE, &[("x-forwarded-for", "203.0.113.9")]).await;
    assert!(!kicked && answer.status == 401, "a proxy on this machine speaks for somebody else");
}

#[tokio::test]
async fn the_password_opens_everything_and_nothing_else_does() {
    assert!(kick(locked(), THERE, &[PASSWORD]).await.1);
    for (peer, headers) in [(THERE, &[WRONG][..]), (THERE, &[]), (HERE, &[]), (HERE, &[WRONG])] {
        let (answer, kicked) = kick(locked(), peer, headers).await;
        assert!(!kicked, "{peer} {headers:?}");
        assert_eq!((answer.status.as_u16(), answer.header("www-authenticate")), (401, "Basic"));
        assert!(answer.text.is_empty());
    }
}

#[tokio::test]
async fn with_a_password_the_api_is_closed_and_the_rest_is_not() {
    let world = World::new(locked());
    for path in [
        "/api/v1/versions",
        "/api/",
        "/api/v1/streams/",
        "/api/v1/console",
        "/api/v1/raw?rpc=raw",
        "/api/nothing",
    ] {
        assert_eq!(world.get(path).await.status, 401, "{path}");
        let answer = world.ask(Method::GET, path, THERE, &[PASSWORD]).await;
        assert_eq!(answer.status, 200, "{path}");
    }
    for path in ["/", "/metrics"] {
        assert_eq!(world.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn reading_is_open_without_a_password() {
    let world = World::new(Settings::default());
    for path in ["/api/v1/streams/", "/api/v1/clients/", "/api/v1/summaries", "/api/v1/console"] {
        assert_eq!(world.ask(Method::GET, path, THERE, &[]).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn other_web_sites_may_read_and_not_change() {
    let foreign = ("origin", "http://evil.example");
    let world = World::new(Settings::default());
    let answer = world.ask(Method::GET, "/api/v1/versions", THERE, &[foreign]).await;
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_eq!(answer.header("access-control-allow-credentials"), "false");
    let (answer, kicked) = kick(Settings::default(), HERE, &[foreign]).await;
    assert!(!kicked);
    assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (403, &403.into()));
    assert!(kick(locked(), THERE, &[foreign, PASSWORD]).await.1, "with the password in a header they may");
    assert!(
        kick(Settings::default(), HERE, &[("origin", "http://127.0.0.1:1985")]).await.1,
        "our own pages may"
    );
}

#[tokio::test]
async fn rebound_names_change_nothing() {
    let (answer, kicked) = kick(Settings::default(), HERE, &[("host", "evil.example:1985")]).await;
    assert!(!kicked);
    assert_eq!(answer.status, 403);
    let own = Settings { hosts: vec!["live.example.com".into()], ..Settings::default() };
    assert!(kick(own, HERE, &[("host", "live.example.com")]).await.1);
    assert!(kick(Settings::default(), HERE, &[("host", "localhost:1985")]).await.1);
}

#[tokio::test]
async fn preflights_and_origins() {
    let origin = ("origin", "http://evil.example");
    let open = World::new(locked());
    let answer = open.ask(Method::OPTIONS, "/api/v1/clients/x", THERE, &[origin]).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, ""));
    for (name, value) in [
        ("access-control-allow-origin", "*"),
        ("access-control-allow-methods", "*"),
        ("access-control-allow-headers", "*, Authorization"),
        ("access-control-expose-headers", "*"),
        ("access-control-allow-credentials", "false"),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    let plain = open.ask(Method::OPTIONS, "/api/v1/versions", THERE, &[]).await;
    assert_eq!((plain.status.as_u16(), plain.header("access-control-allow-origin")), (200, ""));
    let refused = open.ask(Method::GET, "/api/v1/versions", THERE, &[origin]).await;
    assert_eq!((refused.status.as_u16(), refused.header("access-control-allow-origin")), (401, "*"));

    let closed = World::new(Settings { crossdomain: false, ..Settings::default() });
    assert_eq!(closed.ask(Method::OPTIONS, "/api/v1/versions", THERE, &[origin]).await.status, 405);
    let answer = closed.ask(Method::GET, "/api/v1/versions", THERE, &[origin]).await;
    assert_eq!((answer.status.as_u16(), answer.header("access-control-allow-origin")), (200, ""));
}

#[tokio::test]
async fn ending_nobody() {
    let world = World::new(Settings::default());
    for path in ["/api/v1/clients/", "/api/v1/clients/00000000"] {
        assert_eq!(world.ask(Method::DELETE, path, HERE, &[]).await.text, "{\"code\":2049}", "{path}");
    }
}
