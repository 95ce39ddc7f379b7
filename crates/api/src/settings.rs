use crate::shapes::Console;
use std::net::{IpAddr, SocketAddr};

/// What the API needs of the configuration; made by the server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `http_api.auth`, when it is enabled.
    pub auth: Option<Auth>,
    /// Whether other web sites may read the API (`crossdomain`).
    pub crossdomain: bool,
    /// Host names, without port, under which the API may be asked to change something without authentication.
    /// `localhost` and IP addresses always may; any other name could be a rebound one.
    pub hosts: Vec<String>,
    /// `http_api.enabled`, as `rpc=raw` tells.
    pub http_api_enabled: bool,
    /// `http_api.listen`: a port, or address and port. One that means every address is told as a bare port.
    pub http_api_listen: String,
    /// `http_api.raw_api`.
    pub raw_api: RawApiSettings,
    /// `exporter`, when it is enabled.
    pub exporter: Option<Exporter>,
    /// Virtual hosts of the configuration.
    pub vhosts: Vec<VhostSettings>,
    /// Address of the first RTMP listener, if it is given and not loopback.
    pub rtmp_ip: Option<IpAddr>,
    /// What `/api/v1/console` answers. Its RTMP port is that of the first RTMP listener.
    pub console: Console,
}

impl Settings {
    /// `http_api.listen` as configurations write it: `0.0.0.0:1985` and `[::]:1985` are `1985`.
    pub(crate) fn api_listen(&self) -> String {
        match self.http_api_listen.parse::<SocketAddr>() {
            Ok(addr) if addr.ip().is_unspecified() => addr.port().to_string(),
            _ => self.http_api_listen.clone(),
        }
    }
}

/// User and password of HTTP Basic authentication.
#[derive(Clone, PartialEq, Eq)]
pub struct Auth {
    /// `http_api.auth.username`.
    pub username: String,
    /// `http_api.auth.password`; nobody gets in when it is empty.
    pub password: String,
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auth").field("username", &self.username).finish_non_exhaustive()
    }
}

/// `http_api.raw_api`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RawApiSettings {
    /// Whether `rpc=reload` is enabled.
    pub enabled: bool,
    /// Whether it may reload.
    pub allow_reload: bool,
}

/// `exporter`: extra labels of `srs_build_info`; left out when empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exporter {
    /// `exporter.label`.
    pub label: String,
    /// `exporter.tag`.
    pub tag: String,
}

/// A virtual host of the configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct VhostSettings {
    /// Name.
    pub name: String,
    /// Whether it is enabled.
    pub enabled: bool,
    /// HLS segment length in seconds; `None` when HLS is off.
    pub hls_fragment_s: Option<f64>,
}

impl Default for Settings {
    /// What the server is without a configuration: the default ports, no authentication.
    fn default() -> Settings {
        Settings {
            auth: None,
            crossdomain: true,
            hosts: Vec::new(),
            http_api_enabled: true,
            http_api_listen: "1985".to_owned(),
            raw_api: RawApiSettings::default(),
            exporter: None,
            vhosts: Vec::new(),
            rtmp_ip: None,
            console: Console {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                rtmp_port: 1935,
                http_port: Some(8080),
                https_port: None,
                api_port: Some(1985),
                hls_fragment_s: 2.0,
            },
        }
    }
}
