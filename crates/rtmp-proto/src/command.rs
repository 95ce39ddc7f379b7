//! Commands and control messages: what the two sessions read and write alike.

use crate::wire::{self, CSID_CONTROL, CSID_STREAM, STREAM_ID};
use crate::write::write_message;
use bytes::{BufMut, BytesMut};
use headwater_flv::AmfError;
use headwater_flv::amf0::{self, Value, object};

/// A call of the peer (RTMP 7.1.1).
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) name: String,
    pub(crate) transaction: f64,
    /// The command object, then the arguments.
    args: Vec<Value>,
}

impl Command {
    /// Reads an AMF0 command, or an AMF3 one: AMF0 behind one byte. `None` for a time code in place of a command.
    pub(crate) fn decode(type_id: u8, mut payload: &[u8]) -> Result<Option<Command>, AmfError> {
        if payload.is_empty() || (payload.len() == 4 && payload.first() == Some(&0)) {
            return Ok(None);
        }
        if type_id == wire::COMMAND_AMF3 && payload.first() == Some(&0) {
            payload = payload.get(1..).unwrap_or_default();
        }
        let mut values = amf0::decode_all(payload)?.into_iter();
        let Some(Value::String(name)) = values.next() else { return Err(AmfError::Unnamed) };
        let transaction = values.next().and_then(|v| v.as_number()).unwrap_or_default();
        Ok(Some(Command { name, transaction, args: values.collect() }))
    }

    /// The command object.
    pub(crate) fn object(&self) -> Option<&Value> {
        self.args.first()
    }

    /// The argument `n`, counted behind the command object.
    pub(crate) fn arg(&self, n: usize) -> Option<&Value> {
        self.args.get(n + 1)
    }

    pub(crate) fn str_arg(&self, n: usize) -> &str {
        self.arg(n).and_then(Value::as_str).unwrap_or_default()
    }
}

/// Bytes to send, cut into chunks of the size the peer was told.
#[derive(Debug)]
pub(crate) struct Outbox {
    pub(crate) bytes: BytesMut,
    chunk_size: usize,
}

impl Default for Outbox {
    fn default() -> Self {
        Outbox { bytes: BytesMut::new(), chunk_size: wire::CHUNK_SIZE_DEFAULT }
    }
}

impl Outbox {
    pub(crate) fn chunk_size(&self) -> usize {
        self.chunk_size
    }

    pub(crate) fn control(&mut self, type_id: u8, payload: &[u8]) {
        write_message(CSID_CONTROL, type_id, 0, 0, &[payload], self.chunk_size, &mut self.bytes);
    }

    pub(crate) fn set_chunk_size(&mut self, size: u32) {
        let size = size.clamp(1, wire::MESSAGE_MAX as u32);
        self.control(wire::SET_CHUNK_SIZE, &size.to_be_bytes());
        self.chunk_size = size as usize;
    }

    pub(crate) fn user_control(&mut self, event: u16, value: &[u8]) {
        self.control(wire::USER_CONTROL, &[&event.to_be_bytes(), value].concat());
    }

    /// A call or an answer: name, transaction, then values.
    pub(crate) fn command(
        &mut self,
        csid: u8,
        stream_id: u32,
        name: &str,
        transaction: f64,
        values: &[Value],
    ) {
        let mut payload = BytesMut::new();
        amf0::write_string(name, &mut payload);
        amf0::write_number(transaction, &mut payload);
        values.iter().for_each(|v| v.encode(&mut payload));
        let parts: [&[u8]; 1] = [&payload];
        write_message(csid, wire::COMMAND_AMF0, stream_id, 0, &parts, self.chunk_size, &mut self.bytes);
    }

    pub(crate) fn result(&mut self, transaction: f64, value: Value) {
        self.command(wire::CSID_COMMAND, 0, "_result", transaction, &[Value::Null, value]);
    }

    /// An `onStatus` of the one stream there is.
    pub(crate) fn status(&mut self, level: &str, code: &str, description: &str) {
        let info = object([
            ("level", level.into()),
            ("code", code.into()),
            ("description", description.into()),
            ("details", "stream".into()),
            ("clientid", "ASAICiss".into()),
        ]);
        self.command(CSID_STREAM, STREAM_ID, "onStatus", 0.0, &[Value::Null, info]);
    }

    /// `onFCPublish` and `onFCUnpublish`.
    pub(crate) fn fc_status(&mut self, name: &str, code: &str, description: &str) {
        let info = object([("code", code.into()), ("description", description.into())]);
        self.command(CSID_STREAM, STREAM_ID, name, 0.0, &[Value::Null, info]);
    }

    /// Players may look at the samples, audio and video (`|RtmpSampleAccess`).
    pub(crate) fn sample_access(&mut self) {
        let mut payload = BytesMut::new();
        amf0::write_string("|RtmpSampleAccess", &mut payload);
        payload.put_slice(&[0x01, 0x01, 0x01, 0x01]); // true, true
        let parts: [&[u8]; 1] = [&payload];
        write_message(CSID_STREAM, wire::DATA_AMF0, STREAM_ID, 0, &parts, self.chunk_size, &mut self.bytes);
    }
}

/// Counts received bytes and says when the peer is owed an acknowledgement (RTMP 5.4.3).
#[derive(Debug, Default)]
pub(crate) struct Acks {
    window: u32,
    received: u64,
    acknowledged: u64,
}

impl Acks {
    pub(crate) fn new(window: u32) -> Acks {
        Acks { window, ..Acks::default() }
    }

    pub(crate) fn set_window(&mut self, window: u32) {
        self.window = window;
    }

    pub(crate) fn count(&mut self, bytes: usize) {
        self.received += bytes as u64;
    }

    /// Sends what is due: an acknowledgement for every half window. The sequence number wraps.
    pub(crate) fn settle(&mut self, out: &mut Outbox) {
        if self.window == 0 || self.received - self.acknowledged < u64::from(self.window / 2).max(1) {
            return;
        }
        self.acknowledged = self.received;
        out.control(wire::ACK, &(self.received as u32).to_be_bytes());
    }
}
