//! WebSockets of the steps of a test app: opened by name, used over several steps.
//!
//! `{"open": name, "path", "headers"?, "response"?}` opens one; `{"on": name, "send"?, "drop"?,
//! "get"?}` uses it: sends a message, cuts the connection, and reads as many messages as `get`
//! lists. A message is a text, `{"binary": [bytes]}`, `{"close": [code, reason]}`,
//! `{"ping": text}`, `{"text of": length}`, or, when it is read, `{"pong": text}`, or `"lost"` for
//! a connection that ended without a close frame (as `{"lost": true}`).

use std::collections::HashMap;
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use tungstenite::client::IntoClientRequest;
use tungstenite::http::{HeaderName, HeaderValue};
use tungstenite::protocol::CloseFrame;
use tungstenite::{Error, HandshakeError, Message, WebSocket};

/// The open sockets of one run.
#[derive(Default)]
pub struct Sockets(HashMap<String, WebSocket<TcpStream>>);

impl Sockets {
    /// Does one step; gives what went wrong.
    pub fn run(&mut self, port: u16, step: &Value) -> Vec<String> {
        let found = match step["open"].as_str() {
            Some(name) => self.open(port, name, step),
            None => self.exchange(step),
        };
        found.err().into_iter().flatten().collect()
    }

    fn open(&mut self, port: u16, name: &str, step: &Value) -> Result<(), Vec<String>> {
        let path = step["path"].as_str().expect("a socket has a path");
        let mut request = format!("ws://app.example{path}").into_client_request().unwrap();
        for (name, value) in step["headers"].as_object().into_iter().flatten() {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            let value = HeaderValue::from_str(value.as_str().unwrap()).unwrap();
            request.headers_mut().insert(name, value);
        }
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let (status, headers) = match tungstenite::client::client(request, stream) {
            Ok((socket, response)) => {
                self.0.insert(name.to_owned(), socket);
                (response.status().as_u16(), response.headers().clone())
            }
            Err(HandshakeError::Failure(Error::Http(response))) => {
                (response.status().as_u16(), response.headers().clone())
            }
            Err(error) => return Err(vec![format!("no handshake: {error}")]),
        };
        let mut found = Vec::new();
        let expected = step["response"]["status"].as_u64().unwrap_or(101);
        if u64::from(status) != expected {
            found.push(format!("status is {status}, must be {expected}"));
        }
        for (name, value) in step["response"]["headers"].as_object().into_iter().flatten() {
            let got = headers.get(name).and_then(|value| value.to_str().ok());
            if got != value.as_str() {
                found.push(format!("{name} is {got:?}, must be {value}"));
            }
        }
        if found.is_empty() { Ok(()) } else { Err(found) }
    }

    fn exchange(&mut self, step: &Value) -> Result<(), Vec<String>> {
        let name = step["on"].as_str().expect("a step opens or uses a socket");
        if step["drop"] == true {
            self.0.remove(name);
            return Ok(());
        }
        let socket = self.0.get_mut(name).unwrap_or_else(|| panic!("{name} is not open"));
        if !step["send"].is_null() {
            socket.send(message(&step["send"])).map_err(|error| vec![error.to_string()])?;
        }
        let mut got = Vec::new();
        let expected = step["get"].as_array().cloned().unwrap_or_default();
        while got.len() < expected.len() {
            match next(socket) {
                Ok(next) => got.push(next),
                Err(error) => {
                    return Err(vec![format!("got {}, then {error}", Value::from(got))]);
                }
            }
        }
        let expected: Vec<Value> = expected.iter().map(spelled).collect();
        if got == expected {
            return Ok(());
        }
        Err(vec![format!("got {}, must get {}", Value::from(got), Value::from(expected))])
    }
}

/// How a socket step is named in findings.
pub fn title(step: &Value) -> String {
    match step["open"].as_str() {
        Some(name) => format!("open {name}"),
        None => format!("on {} send {} get {}", step["on"], step["send"], step["get"]),
    }
}

fn message(value: &Value) -> Message {
    if let Some(bytes) = value["binary"].as_array() {
        let bytes: Vec<u8> = bytes.iter().map(|byte| byte.as_u64().unwrap() as u8).collect();
        return Message::Binary(bytes.into());
    }
    if let Some(close) = value["close"].as_array() {
        return Message::Close(close.first().map(|code| CloseFrame {
            code: u16::try_from(code.as_u64().unwrap()).unwrap().into(),
            reason: close[1].as_str().unwrap().into(),
        }));
    }
    if let Some(payload) = value["ping"].as_str() {
        return Message::Ping(payload.to_owned().into());
    }
    let text = spelled(value);
    Message::Text(text.as_str().expect("a message is a text, binary, ping or close").into())
}

/// A long text stands in full.
fn spelled(value: &Value) -> Value {
    match value["text of"].as_u64() {
        Some(length) => "x".repeat(usize::try_from(length).unwrap()).into(),
        None => value.clone(),
    }
}

fn next(socket: &mut WebSocket<TcpStream>) -> Result<Value, Error> {
    loop {
        return Ok(match socket.read() {
            Ok(Message::Text(text)) => text.as_str().into(),
            Ok(Message::Binary(bytes)) => json!({ "binary": bytes.to_vec() }),
            Ok(Message::Close(frame)) => {
                // The answer to it; the server may have gone already.
                let _ = socket.flush();
                match frame {
                    Some(frame) => {
                        json!({ "close": [u16::from(frame.code), frame.reason.as_str()] })
                    }
                    None => json!({ "close": [] }),
                }
            }
            Ok(Message::Pong(payload)) => json!({ "pong": String::from_utf8_lossy(&payload) }),
            Ok(_) => continue,
            Err(Error::Protocol(_) | Error::ConnectionClosed) => json!({ "lost": true }),
            Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::ConnectionReset => {
                json!({ "lost": true })
            }
            Err(error) => return Err(error),
        });
    }
}

/// As for answers: none takes that long if all is well.
const PATIENCE: Duration = Duration::from_secs(20);
