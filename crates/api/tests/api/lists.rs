//! Pages and filters, and what an id that is not there is answered with.

use crate::world::World;
use headwater_api::Settings;
use serde_json::Value;

async fn ids(world: &World, list: &str, query: &str) -> Vec<String> {
    let body = world.get(&format!("/api/v1/{list}/{query}")).await.json();
    let items = body[list].as_array().unwrap().iter();
    items.map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn pages_hold_ten_items_at_least() {
    let world = World::new(Settings::default());
    let _players: Vec<_> = (0..25).map(|n| world.play(&format!("s{n}"))).collect();
    for list in ["streams", "clients"] {
        let all = ids(&world, list, "?count=100").await;
        assert_eq!(all.len(), 25);
        assert!(all.is_sorted(), "{list} are sorted by id");
        assert_eq!(ids(&world, list, "").await, all[..10]);
        for query in ["?count=1", "?count=-5", "?count=x", "?count=", "?count", "?start=-3"] {
            assert_eq!(ids(&world, list, query).await, all[..10], "{list}{query}");
        }
        assert_eq!(ids(&world, list, "?start=20").await, all[20..]);
        assert_eq!(ids(&world, list, "?start=5&count=12").await, all[5..17]);
        assert!(ids(&world, list, "?start=99999999999").await.is_empty());
        assert_eq!(world.get(&format!("/api/v1/{list}/?start=20")).await.json()["total"], 25);
    }
}

#[tokio::test]
async fn filters_narrow_lists() {
    let world = World::new(Settings::default());
    let publisher = world.publish("cam1");
    let _players = [world.play("cam1"), world.play("cam1"), world.play("other")];
    let vhost = world.get("/api/v1/vhosts/").await.json()["vhosts"][0]["id"].as_str().unwrap().to_owned();
    let stream = ids(&world, "streams", "?stream=cam1").await.remove(0);
    let cases = [
        ("clients", "?type=flv-play".to_owned(), 3),
        ("clients", "?type=fmle-publish".to_owned(), 1),
        ("clients", "?type=flv-play&stream=cam1".to_owned(), 2),
        ("clients", format!("?stream={stream}"), 3),
        ("clients", format!("?vhost={vhost}"), 4),
        ("clients", "?vhost=__defaultVhost__&app=live".to_owned(), 4),
        ("clients", "?app=other".to_owned(), 0),
        ("streams", "?name=cam%31".to_owned(), 1),
        ("streams", "?app=live".to_owned(), 2),
        ("streams", "?vhost=v.com".to_owned(), 0),
        ("streams", "?callback&stream=other".to_owned(), 1),
    ];
    for (list, query, expected) in cases {
        let body = world.get(&format!("/api/v1/{list}/{query}")).await.json();
        assert_eq!(body[list].as_array().unwrap().len(), expected, "{list}{query}");
        assert_eq!(body["total"], expected, "{list}{query}");
    }
    drop(publisher);
}

#[tokio::test]
async fn ids_that_are_not_there() {
    let world = World::new(Settings::default());
    let _publisher = world.publish("cam1");
    for (list, code) in [("vhosts", 2014), ("streams", 2048), ("clients", 2049)] {
        for id in ["vid-0000000", "x/y/z", "..", "%ff", "%00", "%2e%2e%2f", "%3cb%3e", &"x".repeat(5000)] {
            let answer = world.get(&format!("/api/v1/{list}/{id}")).await;
            assert_eq!(answer.status, 200, "{list}/{id:.20}");
            assert_eq!(answer.text, format!("{{\"code\":{code}}}"), "{list}/{id:.20}");
        }
    }
}

#[tokio::test]
async fn markup_arrives_as_text() {
    let world = World::new(Settings::default());
    let publisher = world.publish("cam1");
    let answer = world.get(&format!("/api/v1/clients/{}", publisher.session().id())).await;
    assert_eq!(answer.json()["client"]["pageUrl"], "http://page/<script>alert(1)</script>");
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
}

#[tokio::test]
async fn big_query_strings_do_no_harm() {
    let world = World::new(Settings::default());
    let _publisher = world.publish("cam1");
    let long = "x".repeat(30_000);
    let many = "a=b&".repeat(5000);
    for query in [format!("stream={long}"), many, format!("{long}={long}"), "&&&===;;;".to_owned()] {
        let body = world.get(&format!("/api/v1/streams/?{query}")).await.json();
        assert_eq!(body["code"], 0);
        assert_eq!(body["streams"].as_array().map(Vec::len), Some(1));
    }
    let body: Value = world.get(&format!("/api/v1/clusters?stream={long}")).await.json();
    assert!(body["data"]["origin"].is_null());
}
