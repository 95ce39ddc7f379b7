use crate::SERVER;
use crate::format::{Container, Framing, Known, file_header, format, unsuited};
use crate::head::{Head, LiveTarget};
use crate::listen::HttpLive;
use crate::websocket::accept_key;
use bytes::{BufMut, Bytes, BytesMut};
use headwater_conf::Vhost;
use headwater_hub::{
    Action, Attached, Format, Refusal, Request, Session, SessionId, SessionInfo, Stream, Tracks,
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use std::net::IpAddr;
use std::sync::Arc;

/// Tells nginx to pass a live answer on as it comes.
pub(crate) const UNBUFFERED: (&str, &str) = ("x-accel-buffering", "no");

/// A request for a live stream.
#[derive(Debug)]
pub(crate) struct LiveRequest {
    pub(crate) head: Head,
    pub(crate) target: LiveTarget,
    pub(crate) vhost: Arc<Vhost>,
}

/// A live stream that admission has granted.
#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) attached: Attached,
    pub(crate) session: Arc<Session>,
    pub(crate) container: Container,
    vhost: Arc<Vhost>,
}

/// How a granted stream is put on the wire.
pub(crate) struct Output {
    pub(crate) format: Arc<dyn Format>,
    /// What comes before everything else, framed; may be empty.
    pub(crate) file_header: Bytes,
}

/// An answer instead of media.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    pub(crate) reason: String,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Refused {
        let status = match refusal.code {
            2014 | 2051 => StatusCode::NOT_FOUND, // no such vhost; a name that no stream can have
            _ => StatusCode::FORBIDDEN,
        };
        Refused { status, reason: refusal.reason }
    }
}

impl LiveRequest {
    /// Asks admission and counts the player in.
    pub(crate) async fn ask(
        &self,
        server: &HttpLive,
        id: SessionId,
        peer: IpAddr,
    ) -> Result<Granted, Refused> {
        let request = Request {
            action: Action::Play,
            kind: "flv-play",
            session: id,
            peer,
            vhost: self.head.vhost().to_owned(),
            app: self.target.app.clone(),
            stream: self.target.stream.clone(),
            param: self.head.param(),
            tc_url: format!("rtmp://{}/{}", self.head.vhost(), self.target.app),
            page_url: self.head.referer.clone(),
            swf_url: String::new(),
        };
        let grant = server.admission.ask(&request).await?;
        let stream = server.hub.audible(&server.hub.stream(&grant.name));
        self.suits(&stream).await?;
        let session = Arc::new(Session::new(SessionInfo {
            id,
            kind: request.kind,
            publish: false,
            name: grant.name,
            shown_name: format!("{}{}", request.stream, self.target.container.extension()).into(),
            ip: peer,
            tc_url: request.tc_url.into(),
            page_url: request.page_url.into(),
            swf_url: Box::default(),
            param: request.param.into(),
        }));
        let attached = stream.attach(&session);
        Ok(Granted { attached, session, container: self.target.container, vhost: self.vhost.clone() })
    }

    /// Refuses a container that has nothing to give of a live stream. Who waits for a publisher is let wait.
    async fn suits(&self, stream: &Stream) -> Result<(), Refused> {
        if self.target.container == Container::Flv || !stream.is_live() {
            return Ok(());
        }
        let tracks = stream.tracks().await;
        let remux = &self.vhost.http_remux;
        let pictures = remux.guess_has_av || remux.has_video;
        let snapshot = stream.snapshot();
        let audio = snapshot.audio.map(|audio| audio.codec);
        let video = snapshot.video.filter(|_| pictures).map(|video| video.codec);
        match unsuited(self.target.container, Known { tracks, audio, video }) {
            Some(reason) => Err(Refused { status: StatusCode::NOT_FOUND, reason }),
            None => Ok(()),
        }
    }
}

impl Granted {
    /// Waits until the stream's tracks are known and chooses the format; the FLV header's flags match them.
    ///
    /// Of FLV, tracks that the header does not name are dropped if so configured. TS names a track when it comes,
    /// unless the configuration says which there are.
    pub(crate) async fn output(&self, framing: Framing) -> Output {
        let remux = &self.vhost.http_remux;
        let tracks = match remux.guess_has_av {
            true => self.attached.stream().tracks().await,
            false => Tracks { audio: remux.has_audio, video: remux.has_video },
        };
        let only_these = match self.container {
            Container::Flv => remux.drop_if_not_match,
            _ => !remux.guess_has_av,
        };
        let carried = if only_these { tracks } else { Tracks::ALL };
        Output {
            format: format(self.container, framing, carried, remux.fast_cache.into()),
            file_header: file_header(self.container, framing, tracks),
        }
    }
}

/// The framing a request gets on a raw socket.
pub(crate) fn framing(head: &Head) -> Framing {
    match (&head.websocket_key, head.http11) {
        (Some(_), _) => Framing::WebSocket,
        (None, true) => Framing::Chunked,
        (None, false) => Framing::Plain,
    }
}

/// The head of a live answer on a raw socket.
pub(crate) fn response_head(head: &Head, container: Container, crossdomain: bool) -> Bytes {
    let mut out = BytesMut::with_capacity(512);
    match &head.websocket_key {
        Some(key) => {
            out.put_slice(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
            );
            out.put_slice(format!("Sec-WebSocket-Accept: {}\r\n", accept_key(key)).as_bytes());
        }
        None => {
            let chunked = if head.http11 { "Transfer-Encoding: chunked\r\n" } else { "" };
            let kind = container.content_type();
            out.put_slice(format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n").as_bytes());
            out.put_slice(b"Connection: close\r\n");
            out.put_slice(b"Cache-Control: no-store\r\n");
            out.put_slice(format!("{}: {}\r\n", UNBUFFERED.0, UNBUFFERED.1).as_bytes());
            out.put_slice(chunked.as_bytes());
        }
    }
    put_fields(&common_fields(head.has_origin && crossdomain), &mut out);
    out.freeze()
}

/// A whole answer without media, after which the connection closes.
pub(crate) fn refusal_head(refused: &Refused, cors: bool) -> Bytes {
    let mut out = BytesMut::with_capacity(512);
    let body = &refused.reason;
    out.put_slice(
        format!("HTTP/1.1 {}\r\nContent-Type: text/plain; charset=utf-8\r\n", refused.status).as_bytes(),
    );
    out.put_slice(format!("Content-Length: {}\r\nConnection: close\r\n", body.len() + 1).as_bytes());
    put_fields(&common_fields(cors), &mut out);
    out.put_slice(body.as_bytes());
    out.put_u8(b'\n');
    out.freeze()
}

fn put_fields(fields: &HeaderMap, out: &mut BytesMut) {
    for (name, value) in fields {
        out.put_slice(name.as_str().as_bytes());
        out.put_slice(b": ");
        out.put_slice(value.as_bytes());
        out.put_slice(b"\r\n");
    }
    out.put_slice(b"\r\n");
}

/// Fields of every answer; with `cors`, those that let pages of other origins read it.
pub(crate) fn common_fields(cors: bool) -> HeaderMap {
    let mut fields = HeaderMap::new();
    fields.insert(header::SERVER, HeaderValue::from_static(SERVER));
    if cors {
        const ANY: HeaderValue = HeaderValue::from_static("*");
        fields.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
        fields.insert(header::ACCESS_CONTROL_ALLOW_METHODS, ANY);
        fields.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, ANY);
        fields.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, ANY);
        fields.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("false"));
        fields.insert("access-control-request-private-network", HeaderValue::from_static("true"));
    }
    fields
}
