//! Frames as clients send them, whole and in pieces, and what no client may send.

use bytes::{BufMut, Bytes, BytesMut};
use proptest::prelude::*;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use worker::link::{Close, Frame, NO_STATUS};

use super::frame::{Decoder, Encoder, Received, Role, Violation};

/// A frame as a client sends it.
fn client(opcode: OpCode, is_final: bool, payload: &[u8]) -> Vec<u8> {
    let mask = [1, 2, 3, 4];
    let header = FrameHeader { opcode, is_final, mask: Some(mask), ..FrameHeader::default() };
    let mut bytes = Vec::new();
    header.format(payload.len() as u64, &mut bytes).unwrap();
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

fn text(payload: &str) -> Vec<u8> {
    client(OpCode::Data(Data::Text), true, payload.as_bytes())
}

/// All that comes out of `bytes` when they arrive in pieces of `size`.
fn decode(bytes: &[u8], size: usize) -> Result<Vec<Received>, Violation> {
    decode_as(Role::Server, bytes, size)
}

fn decode_as(role: Role, bytes: &[u8], size: usize) -> Result<Vec<Received>, Violation> {
    let (mut decoder, mut buffer) = (Decoder::new(role, LIMIT), BytesMut::new());
    let mut received = Vec::new();
    for piece in bytes.chunks(size) {
        buffer.put_slice(piece);
        while let Some(next) = decoder.next(&mut buffer)? {
            received.push(next);
        }
    }
    Ok(received)
}

fn refused(bytes: &[u8], code: u16) {
    let refusal = decode(bytes, usize::MAX).expect_err("it must be refused");
    assert_eq!(refusal.code, code, "{}", refusal.text);
}

proptest! {
    #[test]
    fn messages_arrive_whole_however_they_are_cut(
        messages in prop::collection::vec((any::<bool>(), ".{0,200}", 1usize..50), 1..6),
        size in 1usize..300,
    ) {
        let mut bytes = Vec::new();
        let mut expected = Vec::new();
        for (is_text, payload, fragment) in &messages {
            let kind = if *is_text { Data::Text } else { Data::Binary };
            let mut pieces: Vec<&[u8]> = payload.as_bytes().chunks(*fragment).collect();
            if pieces.is_empty() {
                pieces.push(b"");
            }
            for (index, piece) in pieces.iter().enumerate() {
                let opcode = OpCode::Data(if index == 0 { kind } else { Data::Continue });
                bytes.extend(client(opcode, index + 1 == pieces.len(), piece));
                bytes.extend(client(OpCode::Control(Control::Ping), true, b"?"));
            }
            let whole = Bytes::from(payload.clone());
            let frame = if *is_text { Frame::Text(whole) } else { Frame::Binary(whole) };
            expected.push(Received::Frame(frame));
        }
        let received = decode(&bytes, size).unwrap();
        let (pings, frames): (Vec<_>, Vec<_>) =
            received.into_iter().partition(|next| matches!(next, Received::Ping(_)));
        prop_assert_eq!(frames, expected);
        prop_assert!(pings.len() >= messages.len());
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode(&bytes, 7);
    }
}

#[test]
fn clients_must_mask_and_follow_the_rules() {
    let mut unmasked = BytesMut::new();
    Encoder::new(Role::Server).message(Data::Text, b"a", &mut unmasked);
    refused(&unmasked, 1002);
    assert!(decode_as(Role::Client, &text("a"), 1).unwrap_err().text.contains("mask"));
    let ping = OpCode::Control(Control::Ping);
    refused(&client(ping, false, b""), 1002);
    refused(&client(ping, true, &[0; 126]), 1002);
    refused(&client(OpCode::Data(Data::Continue), true, b"x"), 1002);
    refused(&client(OpCode::Data(Data::Text), true, b"\xff"), 1007);
    let two = [client(OpCode::Data(Data::Text), false, b"a"), text("b")].concat();
    refused(&two, 1002);
    let mut reserved = text("x");
    reserved[0] |= 0x40;
    refused(&reserved, 1002);
    let mut unknown = text("x");
    unknown[0] = 0x83;
    refused(&unknown, 1002);
}

#[test]
fn messages_above_the_limit_are_refused_before_they_have_come() {
    refused(&client(OpCode::Data(Data::Binary), true, &[0; LIMIT + 1])[..14], 1009);
    let begun = client(OpCode::Data(Data::Binary), false, &[0; LIMIT]);
    let rest = client(OpCode::Data(Data::Continue), true, b"x");
    refused(&[begun, rest].concat(), 1009);
    let fits = client(OpCode::Data(Data::Binary), true, &[0; LIMIT]);
    assert_eq!(decode(&fits, 1000).unwrap().len(), 1);
}

#[test]
fn close_frames_are_read_and_written() {
    let close = |payload: &[u8]| client(OpCode::Control(Control::Close), true, payload);
    let received = |code, reason: &str| {
        vec![Received::Frame(Frame::Close(Close { code, reason: reason.into() }))]
    };
    assert_eq!(decode(&close(b""), 1).unwrap(), received(NO_STATUS, ""));
    assert_eq!(decode(&close(b"\x0f\xa1bye"), 1).unwrap(), received(4001, "bye"));
    for payload in [&b"\x03"[..], b"\x03\xed", b"\x03\xee", b"\x00\x01", b"\xff\xff"] {
        refused(&close(payload), 1002);
    }
    refused(&close(b"\x03\xe8\xff"), 1007);
    let mut out = BytesMut::new();
    let encoder = Encoder::new(Role::Server);
    encoder.close(&Close { code: NO_STATUS, reason: String::new() }, &mut out);
    encoder.close(&Close { code: 1000, reason: "€".repeat(60) }, &mut out);
    assert_eq!(out[..4], [0x88, 0, 0x88, 125]);
    assert_eq!(out.len(), 2 + 2 + 125);
    let mut out = BytesMut::new();
    encoder.pong(b"hi", &mut out);
    assert_eq!(out[..], [0x8a, 2, b'h', b'i']);
}

#[test]
fn each_side_reads_what_the_other_writes() {
    for (writer, reader) in [(Role::Client, Role::Server), (Role::Server, Role::Client)] {
        let (mut out, encoder) = (BytesMut::new(), Encoder::new(writer));
        let close = Close { code: 3000, reason: "bye".into() };
        encoder.message(Data::Text, "h\u{e9}llo, a longer text".as_bytes(), &mut out);
        encoder.message(Data::Binary, &[0; 300], &mut out);
        encoder.close(&close, &mut out);
        let frames = vec![
            Received::Frame(Frame::Text("h\u{e9}llo, a longer text".into())),
            Received::Frame(Frame::Binary(vec![0; 300].into())),
            Received::Frame(Frame::Close(close)),
        ];
        assert_eq!(decode_as(reader, &out, 7).unwrap(), frames, "{writer:?}");
    }
}

const LIMIT: usize = 1 << 12;
