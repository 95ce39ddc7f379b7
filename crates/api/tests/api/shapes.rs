//! Bodies compared with SRS's, key by key and in order.

use crate::world::World;
use headwater_api::{Exporter, Settings, VhostSettings};
use serde_json::Value;

fn settings() -> Settings {
    let vhost = VhostSettings { name: "__defaultVhost__".into(), enabled: true, hls_fragment_s: Some(10.0) };
    Settings { vhosts: vec![vhost], ..Settings::default() }
}

/// `a,b{c,d},e` of an object: its keys in order, with those of inner objects (and of an array's first item).
fn keys(value: &Value) -> String {
    let keys = |(key, value): (&String, &Value)| match value {
        Value::Object(_) => format!("{key}{{{}}}", self::keys(value)),
        Value::Array(items) if items.first().is_some_and(Value::is_object) => {
            format!("{key}[{}]", self::keys(&items[0]))
        }
        _ => key.clone(),
    };
    value.as_object().unwrap().iter().map(keys).collect::<Vec<_>>().join(",")
}

const STREAM: &str = "id,name,vhost,app,tcUrl,url,live_ms,clients,frames,audio_frames,video_frames,send_bytes,recv_bytes,\
                      kbps{recv_30s,send_30s},publish{active,cid},video{codec,profile,level,width,height},\
                      audio{codec,sample_rate,channel,profile},\
                      headwater{uptime_s,viewers,publisher_type,jumps,cached_bytes,\
                      timeline{leaps,steps_back,wraps,reordered,largest_ms,av_offset_ms,drift_ms}}";
const CLIENT: &str = "id,vhost,stream,ip,pageUrl,swfUrl,tcUrl,url,name,type,publish,alive,send_bytes,recv_bytes,\
                      kbps{recv_30s,send_30s}";
const VHOST: &str =
    "id,name,enabled,clients,streams,send_bytes,recv_bytes,kbps{recv_30s,send_30s},hls{enabled,fragment}";

async fn body(path: &str) -> Value {
    let world = World::new(settings());
    world.tick(0);
    let _publisher = world.publish("cam1");
    let _player = world.play("cam1");
    world.tick(3);
    world.get(path).await.json()
}

#[tokio::test]
async fn keys_come_in_the_order_of_srs() {
    let cases = [
        ("/", "code,server,service,pid,urls{api,rtc{v1{play,publish,nack}}}".to_owned()),
        ("/api/", "code,server,service,pid,urls{v1}".to_owned()),
        (
            "/api/v1/",
            "code,server,service,pid,urls{versions,summaries,rusages,self_proc_stats,system_proc_stats,meminfos,authors,\
             features,requests,vhosts,streams,clients,raw,clusters,perf,tcmalloc,console},\
             tests{requests,errors,redirects,[vhost]}"
                .to_owned(),
        ),
        ("/api/v1/versions", "code,server,service,pid,data{major,minor,revision,version,headwater}".to_owned()),
        (
            "/api/v1/summaries",
            "code,server,service,pid,data{ok,now_ms,\
             self{version,pid,ppid,argv,cwd,mem_kbyte,mem_percent,cpu_percent,srs_uptime},\
             system{cpu_percent,disk_read_KBps,disk_write_KBps,disk_busy_percent,mem_ram_kbyte,mem_ram_percent,\
             mem_swap_kbyte,mem_swap_percent,cpus,cpus_online,uptime,ilde_time,load_1m,load_5m,load_15m,\
             net_sample_time,net_recv_bytes,net_send_bytes,net_recvi_bytes,net_sendi_bytes,srs_sample_time,\
             srs_recv_bytes,srs_send_bytes,conn_sys,conn_sys_et,conn_sys_tw,conn_sys_udp,conn_srs}}"
                .to_owned(),
        ),
        (
            "/api/v1/rusages",
            "code,server,service,pid,data{ok,sample_time,ru_utime,ru_stime,ru_maxrss,ru_ixrss,ru_idrss,ru_isrss,ru_minflt,\
             ru_majflt,ru_nswap,ru_inblock,ru_oublock,ru_msgsnd,ru_msgrcv,ru_nsignals,ru_nvcsw,ru_nivcsw}"
                .to_owned(),
        ),
        (
            "/api/v1/self_proc_stats",
            "code,server,service,pid,data{ok,sample_time,percent,pid,comm,state,ppid,pgrp,session,tty_nr,tpgid,flags,minflt,\
             cminflt,majflt,cmajflt,utime,stime,cutime,cstime,priority,nice,num_threads,itrealvalue,starttime,vsize,rss,\
             rsslim,startcode,endcode,startstack,kstkesp,kstkeip,signal,blocked,sigignore,sigcatch,wchan,nswap,cnswap,\
             exit_signal,processor,rt_priority,policy,delayacct_blkio_ticks,guest_time,cguest_time}"
                .to_owned(),
        ),
        (
            "/api/v1/system_proc_stats",
            "code,server,service,pid,data{ok,sample_time,percent,user,nice,sys,idle,iowait,irq,softirq,steal,guest}".to_owned(),
        ),
        (
            "/api/v1/meminfos",
            "code,server,service,pid,data{ok,sample_time,percent_ram,percent_swap,MemActive,RealInUse,NotInUse,MemTotal,\
             MemFree,Buffers,Cached,SwapTotal,SwapFree}"
                .to_owned(),
        ),
        ("/api/v1/authors", "code,server,service,pid,data{license,contributors}".to_owned()),
        (
            "/api/v1/features",
            "code,server,service,pid,data{options,options2,build,build2,features{ssl,hls,hds,callback,api,httpd,dvr,\
             transcode,ingest,stat,caster,complex_send,tcp_nodelay,so_sendbuf,mr}}"
                .to_owned(),
        ),
        ("/api/v1/vhosts/", format!("code,server,service,pid,vhosts[{VHOST}]")),
        ("/api/v1/streams/", format!("code,server,service,pid,total,streams[{STREAM}]")),
        ("/api/v1/clients/", format!("code,server,service,pid,total,clients[{CLIENT}]")),
        (
            "/api/v1/raw?rpc=raw",
            "code,http_api{enabled,listen,crossdomain,raw_api{enabled,allow_reload,allow_query,allow_update}}".to_owned(),
        ),
        (
            "/api/v1/clusters?vhost=__defaultVhost__&app=live&stream=cam1&coworker=198.51.100.5",
            "code,data{query{ip,vhost,app,stream},origin{ip,port,vhost,api,routers}}".to_owned(),
        ),
        (
            "/api/v1/tests/requests",
            "code,server,service,pid,data{uri,path,METHOD,headers{sigature,version,link,time}}".to_owned(),
        ),
        ("/api/v1/tests/errors", "code".to_owned()),
        ("/metrics", "code".to_owned()),
        ("/api/v1/console", "version,rtmp_port,http_port,https_port,api_port,hls_fragment_s".to_owned()),
    ];
    for (path, expected) in cases {
        assert_eq!(keys(&body(path).await), expected, "{path}");
    }
}

#[tokio::test]
async fn one_of_each() {
    let world = World::new(settings());
    let publisher = world.publish("cam1");
    let list = world.get("/api/v1/streams/").await.json();
    let stream = &list["streams"][0];
    let (stream_id, vhost_id) = (stream["id"].as_str().unwrap(), stream["vhost"].as_str().unwrap());
    let one = world.get(&format!("/api/v1/streams/{stream_id}")).await.json();
    assert_eq!(keys(&one), format!("code,server,service,pid,stream{{{STREAM}}}"));
    let one = world.get(&format!("/api/v1/vhosts/{vhost_id}")).await.json();
    assert_eq!(keys(&one), format!("code,server,service,pid,vhost{{{VHOST}}}"));
    let one = world.get(&format!("/api/v1/clients/{}", publisher.session().id())).await.json();
    assert_eq!(keys(&one), format!("code,server,service,pid,client{{{CLIENT}}}"));
    assert_eq!((&one["client"]["stream"], &one["client"]["vhost"]), (&stream["id"], &stream["vhost"]));
}

#[tokio::test]
async fn a_stream_is_told_as_it_is() {
    let world = World::new(settings());
    world.tick(0);
    let publisher = world.publish("cam1");
    let _player = world.play("cam1");
    let stream = world.get("/api/v1/streams/").await.json()["streams"][0].clone();
    assert_eq!(
        (&stream["name"], &stream["app"], &stream["url"]),
        (&"cam1".into(), &"live".into(), &"/live/cam1".into())
    );
    assert_eq!(stream["clients"], 2);
    assert_eq!(
        (&stream["frames"], &stream["audio_frames"], &stream["video_frames"]),
        (&3.into(), &2.into(), &1.into())
    );
    assert_eq!((&stream["send_bytes"], &stream["recv_bytes"]), (&4096.into(), &90_000.into()));
    assert_eq!(
        stream["publish"],
        serde_json::json!({"active": true, "cid": publisher.session().id().as_str()})
    );
    let video =
        serde_json::json!({"codec": "H264", "profile": "High", "level": "3.1", "width": 1280, "height": 720});
    assert_eq!(stream["video"], video);
    let audio = serde_json::json!({"codec": "AAC", "sample_rate": 48000, "channel": 1, "profile": "LC"});
    assert_eq!(stream["audio"], audio, "the true rate and channels");
    assert_eq!(stream["headwater"]["viewers"], 1);
    assert_eq!(stream["headwater"]["publisher_type"], "fmle-publish");
    assert!(stream["live_ms"].as_i64().unwrap() > 1_700_000_000_000);
}

#[tokio::test]
async fn a_stream_that_waits_for_its_publisher() {
    let world = World::new(settings());
    let _player = world.play("cam1");
    let stream = world.get("/api/v1/streams/").await.json()["streams"][0].clone();
    assert_eq!(stream["publish"], serde_json::json!({"active": false}));
    assert!(stream["video"].is_null() && stream["audio"].is_null());
    assert_eq!(stream["headwater"]["publisher_type"], "");
}

#[tokio::test]
async fn numbers_have_two_decimals_and_json_no_spaces() {
    let world = World::new(settings());
    let publisher = world.publish("cam1");
    let answer = world.get(&format!("/api/v1/clients/{}", publisher.session().id())).await;
    assert!(answer.text.starts_with("{\"code\":0,\"server\":\"vid-"), "{}", answer.text);
    assert!(answer.text.contains("\"publish\":true,\"alive\":0.0"), "{}", answer.text);
    assert_eq!(answer.header("content-type"), "application/json");
    let vhosts = world.get("/api/v1/vhosts/").await;
    assert!(vhosts.text.contains("\"hls\":{\"enabled\":true,\"fragment\":10.00}"), "{}", vhosts.text);
    let off = World::new(Settings::default());
    let _publisher = off.publish("cam1");
    assert!(off.get("/api/v1/vhosts/").await.text.contains("\"hls\":{\"enabled\":false}"));
}

#[tokio::test]
async fn the_envelope_tells_who_answers() {
    let world = World::new(settings());
    let body = world.get("/api/v1/versions").await.json();
    let identity = world.stats.identity();
    assert_eq!(
        (&body["server"], &body["service"]),
        (&identity.server.as_str().into(), &identity.service.as_str().into())
    );
    assert_eq!(body["pid"], std::process::id().to_string());
    assert_eq!(body["data"]["version"], "7.0.143");
    assert_eq!(body["data"]["revision"], 143);
}

#[tokio::test]
async fn samplers_say_whether_they_ran() {
    let world = World::new(settings());
    let paths = ["summaries", "rusages", "self_proc_stats", "system_proc_stats", "meminfos"];
    for path in paths {
        assert_eq!(world.get(&format!("/api/v1/{path}")).await.json()["data"]["ok"], false, "{path}");
    }
    world.tick(0);
    for path in paths {
        assert_eq!(world.get(&format!("/api/v1/{path}")).await.json()["data"]["ok"], true, "{path}");
    }
    let summary = world.get("/api/v1/summaries").await.json()["data"].clone();
    assert_eq!(summary["self"]["pid"], std::process::id());
    assert!(summary["system"]["mem_ram_kbyte"].as_i64().unwrap() > 0);
}

#[tokio::test]
async fn rates_are_told_from_the_first_sample_on() {
    let world = World::new(settings());
    world.tick(0);
    let _publisher = world.publish("cam1");
    world.tick(3);
    let stream = world.get("/api/v1/streams/").await.json()["streams"][0].clone();
    let kbps = stream["kbps"]["recv_30s"].as_u64().unwrap();
    assert!((239..=243).contains(&kbps), "90,000 bytes in 3 s are 240 kbit/s, told {kbps}");
}

#[tokio::test]
async fn metrics_are_text_for_prometheus() {
    let exporter = Exporter { label: "cn-\"1\"".into(), tag: String::new() };
    let world = World::new(Settings { exporter: Some(exporter), ..settings() });
    world.tick(0);
    let _publisher = world.publish("cam1");
    let answer = world.get("/metrics").await;
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    for name in [
        "srs_node_uname_info",
        "srs_build_info",
        "srs_cpu_percent",
        "srs_memory",
        "srs_send_bytes_total",
        "srs_receive_bytes_total",
        "srs_streams",
        "srs_clients",
        "srs_clients_total",
        "srs_clients_errs_total",
    ] {
        assert!(answer.text.contains(&format!("# HELP {name} ")), "{name}");
        assert!(answer.text.contains(&format!("\n# TYPE {name} ")), "{name}");
    }
    assert!(answer.text.contains("\nsrs_receive_bytes_total 90000\n"));
    assert!(answer.text.contains("\nsrs_streams 1\n") && answer.text.contains("\nsrs_clients_total 1\n"));
    assert!(answer.text.contains("code=\"Hang\",label=\"cn-\\\"1\\\"\"} 1\n"), "{}", answer.text);
    assert!(!answer.text.contains("tag="));
}

#[tokio::test]
async fn metrics_that_are_off_say_so() {
    let answer = World::new(settings()).get("/metrics").await;
    assert_eq!(answer.text, "{\"code\":1090}");
}

#[tokio::test]
async fn clusters_tell_who_publishes() {
    let world = World::new(settings());
    let none = world.get("/api/v1/clusters?vhost=v.com&app=live&stream=cam1&ip=198.51.100.9").await.json();
    assert!(none["data"]["origin"].is_null());
    assert_eq!(none["data"]["query"]["ip"], "198.51.100.9");
    let _publisher = world.publish("cam1");
    let path = "/api/v1/clusters?vhost=v.com&app=live&stream=cam1&coworker=198.51.100.5:1935";
    let origin = world.get(path).await.json()["data"]["origin"].clone();
    assert_eq!(origin["vhost"], "__defaultVhost__", "an unknown host is the default one");
    assert_eq!((&origin["ip"], &origin["port"]), (&"198.51.100.5".into(), &1935.into()));
    assert_eq!(origin["routers"], serde_json::json!(["198.51.100.5:1985"]));
}

#[tokio::test]
async fn listening_everywhere_is_told_as_a_port() {
    for (listen, told, api) in [
        ("1985", "1985", "198.51.100.5:1985"),
        ("0.0.0.0:1985", "1985", "198.51.100.5:1985"),
        ("[::]:1985", "1985", "198.51.100.5:1985"),
        ("203.0.113.1:1985", "203.0.113.1:1985", "203.0.113.1:1985"),
    ] {
        let world = World::new(Settings { http_api_listen: listen.into(), ..settings() });
        let _publisher = world.publish("cam1");
        assert_eq!(world.get("/api/v1/raw?rpc=raw").await.json()["http_api"]["listen"], told);
        let path = "/api/v1/clusters?app=live&stream=cam1&coworker=198.51.100.5";
        assert_eq!(world.get(path).await.json()["data"]["origin"]["api"], api);
    }
}
