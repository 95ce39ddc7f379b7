//! Which path and method is answered by what.

use crate::world::World;
use headwater_api::{RawApiSettings, Settings};
use http::Method;
use serde_json::Value;

const HERE: &str = "127.0.0.1:50000";

#[tokio::test]
async fn a_missing_slash_is_added() {
    let world = World::new(Settings::default());
    for path in ["/api", "/api/v1", "/api/v1/vhosts", "/api/v1/streams", "/api/v1/clients"] {
        let answer = world.get(&format!("{path}?start=1&x=%20y")).await;
        assert_eq!(answer.status, 302, "{path}");
        assert_eq!(answer.header("location"), format!("{path}/?start=1&x=%20y"));
        assert_eq!(world.get(path).await.header("location"), format!("{path}/"));
    }
}

#[tokio::test]
async fn unknown_paths_are_answered_by_their_index() {
    let world = World::new(Settings::default());
    let urls = |body: &Value| body["urls"].as_object().unwrap().keys().next().unwrap().clone();
    let cases = [
        ("/api/v1/perf", "versions"),
        ("/api/v1/requests", "versions"),
        ("/api/v1/versions/", "versions"),
        ("/api/v1/a/b/c", "versions"),
        ("/api/v2/", "v1"),
        ("/api/x", "v1"),
        ("/x", "api"),
        ("/apix/v1/", "api"),
        ("/rtc/v1/play/", "api"),
    ];
    for (path, first) in cases {
        let answer = world.get(path).await;
        assert_eq!((answer.status.as_u16(), urls(&answer.json()).as_str()), (200, first), "{path}");
    }
}

#[tokio::test]
async fn only_lists_check_the_method() {
    let world = World::new(Settings::default());
    let ask = |method, path| world.ask(method, path, HERE, &[]);
    for path in ["/api/v1/vhosts/", "/api/v1/vhosts/x", "/api/v1/streams/", "/api/v1/streams/x"] {
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::HEAD] {
            assert_eq!(ask(method.clone(), path).await.status, 405, "{method} {path}");
        }
    }
    for path in ["/api/v1/clients/", "/api/v1/clients/x"] {
        let answer = ask(Method::POST, path).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (405, "Method Not Allowed"), "{path}");
        assert!(answer.header("content-type").starts_with("text/plain"));
    }
    assert_eq!(ask(Method::POST, "/api/v1/versions").await.json()["code"], 0);
    assert_eq!(ask(Method::PUT, "/api/v1/summaries").await.json()["code"], 0);
}

#[tokio::test]
async fn tests_of_clients() {
    let world = World::new(Settings::default());
    assert_eq!(world.get("/api/v1/tests/errors").await.text, "{\"code\":100}");
    let redirect = world.get("/api/v1/tests/redirects").await;
    assert_eq!((redirect.status.as_u16(), redirect.header("location")), (301, "/api/v1/tests/errors"));
    let request = world.get("/api/v1/tests/requests?a=1").await.json()["data"].clone();
    assert_eq!((&request["path"], &request["METHOD"]), (&"/api/v1/tests/requests".into(), &"GET".into()));
    assert_eq!(request["uri"], "http://127.0.0.1:1985/api/v1/tests/requests");
}

#[tokio::test]
async fn raw_tells_the_truth_and_reloads_when_it_may() {
    let off = World::new(Settings::default());
    let enabled = RawApiSettings { enabled: true, allow_reload: true };
    let on = World::new(Settings { raw_api: enabled, ..Settings::default() });
    let expected = "{\"code\":0,\"http_api\":{\"enabled\":true,\"listen\":\"1985\",\"crossdomain\":true,\"raw_api\":\
                    {\"enabled\":true,\"allow_reload\":true,\"allow_query\":false,\"allow_update\":false}}}";
    assert_eq!(on.get("/api/v1/raw?rpc=raw").await.text, expected);
    assert_eq!(off.get("/api/v1/raw?rpc=raw").await.json()["http_api"]["raw_api"]["enabled"], false);
    let cases = [
        ("?rpc=reload", 1061, 0),
        ("?rpc=reload-fetch", 1061, 0),
        ("?rpc=query", 1061, 1060),
        ("", 1061, 1060),
    ];
    for (query, when_off, when_on) in cases {
        let path = format!("/api/v1/raw{query}");
        assert_eq!(off.get(&path).await.json()["code"], when_off, "{query} off");
        assert_eq!(on.get(&path).await.json()["code"], when_on, "{query} on");
    }
    let fetched = on.get("/api/v1/raw?rpc=reload-fetch").await.text;
    let done = r#"{"code":0,"data":{"err":0,"msg":"Success","state":90,"rid":"x1y2z3w"}}"#;
    assert_eq!(fetched, done);
    assert_eq!(on.get("/api/v1/raw?rpc=reload").await.text, r#"{"code":0}"#);
    let failed = on.get("/api/v1/raw?rpc=reload-fetch").await.json()["data"].clone();
    assert_eq!((&failed["err"], &failed["state"]), (&1023.into(), &20.into()));
    assert_eq!(failed["msg"], "code=1023(ConfigInvalid) : bad directive");
    let stranger = on.ask(Method::GET, "/api/v1/raw?rpc=reload", "198.51.100.7:50000", &[]).await;
    assert_eq!(stranger.status.as_u16(), 401);
}

#[tokio::test]
async fn no_jsonp_and_no_method_in_the_query() {
    let world = World::new(Settings::default());
    let publisher = world.publish("cam1");
    let answer = world.get("/api/v1/versions?callback=alert").await;
    assert_eq!(answer.header("content-type"), "application/json");
    assert!(answer.text.starts_with('{'));
    let path = format!("/api/v1/clients/{}?callback=f&method=DELETE", publisher.session().id());
    assert_eq!(world.get(&path).await.json()["client"]["publish"], true, "read, not ended");
}

#[tokio::test]
async fn every_documented_path_is_served() {
    let world = World::new(Settings::default());
    let document: Value = serde_json::from_str(&headwater_api::openapi()).unwrap();
    for (path, _) in document["paths"].as_object().unwrap() {
        let answer = world.get(&path.replace("{id}", "x")).await;
        let is_index = answer.text.contains("\"urls\":");
        assert_eq!(is_index, ["/", "/api/", "/api/v1/"].contains(&path.as_str()), "{path}");
    }
}

#[tokio::test]
async fn answers_name_the_server() {
    let world = World::new(Settings::default());
    for path in ["/", "/api/v1/versions", "/api/v1/streams", "/metrics"] {
        assert_eq!(world.get(path).await.header("server"), headwater_api::SERVER, "{path}");
    }
}
