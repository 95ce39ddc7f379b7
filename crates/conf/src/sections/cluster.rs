//! Edges, origin clusters and forwarding.

use crate::section::section;

section! {
    /// Edge / origin cluster.
    pub struct Cluster {
        /// `remote` = edge.
        mode: String = Choice(&["local", "remote"]), "local", "R", S.formerly(&["vhost.mode"]);
        /// Upstreams, round robin; default port 1935 (RTMP), 80 (flv), 443 (flvs).
        origin: Vec<String> = List("host[:port]"), "", "L", S.formerly(&["vhost.origin"]);
        /// Edge authenticates each client by connecting to the origin first.
        token_traverse: bool = OnlyOn, "off", "C", D.formerly(&["vhost.token_traverse"]);
        /// Vhost to use upstream (RTMP pull/push).
        vhost: String = Text("str"), "[vhost]", "L", S.formerly(&["vhost.vhost"]);
        /// Send srs_* debug args in upstream connect.
        debug_srs_upnode: bool = UnlessOff, "on", "C", S.formerly(&["vhost.debug_srs_upnode"]);
        /// RTMP 302 origin cluster.
        origin_cluster: bool = OnlyOn, "off", "C", S;
        /// HTTP API endpoints of peers to ask for a stream.
        coworkers: Vec<String> = List("host:port"), "", "C", S;
        /// Edge pull protocol.
        protocol: String = Choice(&["rtmp", "flv", "flvs"]), "rtmp", "L", S;
        /// Pull with the first client's protocol (HTTP client = flv, HTTPS = flvs).
        follow_client: bool = OnlyOn, "off", "L", S;
    }
}

section! {
    /// RTMP forwarding.
    pub struct Forward {
        /// Turn it on.
        enabled: bool = OnlyOn, "off", "A", S;
        /// Push targets (default port 1935), same vhost/app/stream/param.
        destination: Vec<String> = List("host[:port]"), "", "A", S;
        /// Hook that returns targets; when set, destination is ignored.
        backend: String = Text("url"), "", "A", S;
    }
}
