//! Reading a WebSocket-FLV stream.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use tungstenite::{Message, WebSocket};

/// No message takes longer to come.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A WebSocket connection on which a stream comes in.
#[derive(Debug)]
pub struct Incoming {
    socket: WebSocket<TcpStream>,
}

impl Incoming {
    /// Opens `ws://server/path`. The error is what the server or the handshake said.
    pub fn open(server: SocketAddr, path: &str) -> Result<Incoming, String> {
        let stream = TcpStream::connect_timeout(&server, TIMEOUT).map_err(|err| err.to_string())?;
        stream.set_read_timeout(Some(TIMEOUT)).map_err(|err| err.to_string())?;
        let url = format!("ws://{server}{path}");
        let (socket, _) = tungstenite::client(url, stream).map_err(|err| err.to_string())?;
        Ok(Incoming { socket })
    }

    /// The payload of the next binary message; none at the end of the stream.
    pub fn message(&mut self) -> Option<Vec<u8>> {
        loop {
            match self.socket.read() {
                Ok(Message::Binary(payload)) => return Some(payload.to_vec()),
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// Everything until the stream ends, put together.
    pub fn read_to_end(mut self) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(payload) = self.message() {
            all.extend_from_slice(&payload);
        }
        all
    }
}
