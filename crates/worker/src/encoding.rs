//! Content encodings of bodies, `gzip` and `br`: read when JavaScript looks at a body, written when
//! it sends one under such a header.
//!
//! A body that is only handed on is never decoded. Decoding gives a bounded piece at a time,
//! whatever the body would expand to.

use std::io::Write;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use brotli::writer::StandardAlloc;
use brotli::{BrotliDecompressStream, BrotliResult, BrotliState, CompressorWriter};
use bytes::{Buf, Bytes};
use flate2::Compression;
use flate2::write::{GzDecoder, GzEncoder};
use futures_util::Stream;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use crate::body::{Body, BodyError, BodyStream};

/// A content encoding that is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// `gzip` (RFC 1952).
    Gzip,
    /// `br` (RFC 7932).
    Brotli,
}

/// Bytes that are decoded in one step at most where the decoder can be told.
const PIECE_BYTES: usize = 64 << 10;

/// Bytes of gzip that are decoded in one step: they give up to a thousand times as many.
const GZIP_STEP_BYTES: usize = 1 << 10;

/// Effort of brotli when it writes, from 0 to 11: as for content made on the fly.
const BROTLI_QUALITY: u32 = 4;

/// The window of brotli, as a power of two.
const BROTLI_WINDOW: u32 = 22;

impl Encoding {
    /// The encoding that headers name, written as the platform wants it: alone, in lower case.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<Encoding> {
        match headers.get(CONTENT_ENCODING)?.as_bytes() {
            b"gzip" => Some(Encoding::Gzip),
            b"br" => Some(Encoding::Brotli),
            _ => None,
        }
    }

    /// The text of a body in this encoding.
    #[must_use]
    pub fn decode(self, body: Body) -> Body {
        let source = match body {
            Body::Empty => return Body::Empty,
            Body::Full(bytes) => BodyStream::new(futures_util::stream::iter([Ok(bytes)]), None),
            Body::Stream(stream) => stream,
        };
        let decoder = match self {
            Encoding::Gzip => Decoder::Gzip(Box::new(GzDecoder::new(Vec::new()))),
            Encoding::Brotli => Decoder::Brotli(Box::new(BrotliState::new(
                StandardAlloc::default(),
                StandardAlloc::default(),
                StandardAlloc::default(),
            ))),
        };
        let decoded = Decoded { source, decoder, input: Bytes::new(), state: State::Hungry };
        Body::Stream(BodyStream::new(decoded, None))
    }

    /// A body with this text in this encoding.
    #[must_use]
    pub fn encode(self, body: Body) -> Body {
        match body {
            Body::Empty => Body::Empty,
            Body::Full(bytes) => {
                let mut encoder = Encoder::new(self);
                let encoded = encoder.add(&bytes).and_then(|mut all| {
                    all.extend(encoder.end()?);
                    Ok(all)
                });
                // Writing to memory does not fail.
                Body::Full(encoded.unwrap_or_default().into())
            }
            Body::Stream(source) => {
                let encoded = Encoded { source, encoder: Some(Encoder::new(self)) };
                Body::Stream(BodyStream::new(encoded, None))
            }
        }
    }
}

/// What a decoder waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// More input.
    Hungry,
    /// Nothing: what it has gives more.
    Full,
    /// The end of the source, which the text has come to.
    Complete,
    /// Nothing any more.
    Over,
}

/// A body that is decoded while it is read.
struct Decoded {
    source: BodyStream,
    decoder: Decoder,
    input: Bytes,
    state: State,
}

enum Decoder {
    Gzip(Box<GzDecoder<Vec<u8>>>),
    Brotli(Box<BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>>),
}

impl Decoder {
    /// Decodes a piece; the state says how to go on.
    fn step(&mut self, input: &mut Bytes) -> Result<(Vec<u8>, State), BodyError> {
        match self {
            Decoder::Gzip(decoder) => {
                let piece = input.split_to(input.len().min(GZIP_STEP_BYTES));
                let written = decoder.write_all(&piece);
                written.map_err(|_| BodyError::Encoding("Gzip decompression failed."))?;
                Ok((std::mem::take(decoder.get_mut()), State::Hungry))
            }
            Decoder::Brotli(state) => {
                let mut out = vec![0; PIECE_BYTES];
                let (mut available, mut taken) = (input.len(), 0);
                let (mut room, mut given, mut total) = (out.len(), 0, 0);
                let result = BrotliDecompressStream(
                    &mut available,
                    &mut taken,
                    input,
                    &mut room,
                    &mut given,
                    &mut out,
                    &mut total,
                    state,
                );
                input.advance(taken);
                out.truncate(given);
                match result {
                    BrotliResult::ResultSuccess => Ok((out, State::Complete)),
                    BrotliResult::NeedsMoreInput => Ok((out, State::Hungry)),
                    BrotliResult::NeedsMoreOutput => Ok((out, State::Full)),
                    BrotliResult::ResultFailure => {
                        Err(BodyError::Encoding("Brotli decompression failed."))
                    }
                }
            }
        }
    }

    /// The last of the text, when the source has ended.
    fn end(&mut self, state: State) -> Result<Vec<u8>, BodyError> {
        match self {
            Decoder::Gzip(decoder) => {
                let finished = decoder.try_finish();
                let text = "Gzip compressed stream ended prematurely.";
                finished.map_err(|_| BodyError::Encoding(text))?;
                Ok(std::mem::take(decoder.get_mut()))
            }
            Decoder::Brotli(_) if state == State::Complete => Ok(Vec::new()),
            Decoder::Brotli(_) => {
                Err(BodyError::Encoding("Brotli compressed stream ended prematurely."))
            }
        }
    }
}

impl Decoded {
    /// The next piece of the text, which may have no bytes; `None` at the end.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Vec<u8>, BodyError>>> {
        match self.state {
            State::Over => return Poll::Ready(None),
            State::Complete => {}
            State::Full => return Poll::Ready(Some(self.step())),
            State::Hungry if !self.input.is_empty() => return Poll::Ready(Some(self.step())),
            State::Hungry => {}
        }
        match ready!(Pin::new(&mut self.source).poll_next(cx)) {
            Some(Ok(bytes)) => {
                self.input = bytes;
                Poll::Ready(Some(Ok(Vec::new())))
            }
            Some(Err(error)) => Poll::Ready(Some(Err(error))),
            None => {
                let rest = self.decoder.end(self.state);
                self.state = State::Over;
                Poll::Ready(Some(rest))
            }
        }
    }

    fn step(&mut self) -> Result<Vec<u8>, BodyError> {
        let (piece, state) = self.decoder.step(&mut self.input)?;
        self.state = state;
        Ok(piece)
    }
}

impl Stream for Decoded {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match ready!(self.poll_piece(cx)) {
                Some(Ok(piece)) if piece.is_empty() => {}
                Some(Ok(piece)) => return Poll::Ready(Some(Ok(piece.into()))),
                Some(Err(error)) => {
                    self.state = State::Over;
                    return Poll::Ready(Some(Err(error)));
                }
                None => return Poll::Ready(None),
            }
        }
    }
}

/// A body that is encoded while it is read; what came so far can be decoded at any time.
struct Encoded {
    source: BodyStream,
    encoder: Option<Encoder>,
}

enum Encoder {
    Gzip(GzEncoder<Vec<u8>>),
    Brotli(Box<CompressorWriter<Vec<u8>>>),
}

impl Encoder {
    fn new(encoding: Encoding) -> Encoder {
        match encoding {
            Encoding::Gzip => Encoder::Gzip(GzEncoder::new(Vec::new(), Compression::default())),
            Encoding::Brotli => Encoder::Brotli(Box::new(CompressorWriter::new(
                Vec::new(),
                PIECE_BYTES,
                BROTLI_QUALITY,
                BROTLI_WINDOW,
            ))),
        }
    }

    fn add(&mut self, text: &[u8]) -> std::io::Result<Vec<u8>> {
        match self {
            Encoder::Gzip(encoder) => {
                encoder.write_all(text)?;
                Ok(std::mem::take(encoder.get_mut()))
            }
            Encoder::Brotli(encoder) => {
                encoder.write_all(text)?;
                Ok(std::mem::take(encoder.get_mut()))
            }
        }
    }

    /// Gives out what it holds back for better packing.
    fn flush(&mut self) -> std::io::Result<Vec<u8>> {
        match self {
            Encoder::Gzip(encoder) => {
                encoder.flush()?;
                Ok(std::mem::take(encoder.get_mut()))
            }
            Encoder::Brotli(encoder) => {
                encoder.flush()?;
                Ok(std::mem::take(encoder.get_mut()))
            }
        }
    }

    fn end(self) -> std::io::Result<Vec<u8>> {
        match self {
            Encoder::Gzip(encoder) => encoder.finish(),
            Encoder::Brotli(encoder) => Ok(encoder.into_inner()),
        }
    }
}

impl Stream for Encoded {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let Some(mut encoder) = self.encoder.take() else { return Poll::Ready(None) };
            let made = match Pin::new(&mut self.source).poll_next(cx) {
                Poll::Ready(Some(Ok(text))) => {
                    let made = encoder.add(&text).and_then(|mut made| {
                        made.extend(encoder.flush()?);
                        Ok(made)
                    });
                    self.encoder = Some(encoder);
                    made
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(None) => encoder.end(),
                Poll::Pending => {
                    self.encoder = Some(encoder);
                    return Poll::Pending;
                }
            };
            // Writing to memory does not fail.
            let made = made.unwrap_or_default();
            if !made.is_empty() {
                return Poll::Ready(Some(Ok(made.into())));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use proptest::prelude::*;

    use super::*;

    fn stream(chunks: Vec<Vec<u8>>) -> Body {
        let chunks = chunks.into_iter().map(|chunk| Ok(Bytes::from(chunk)));
        Body::Stream(BodyStream::new(futures_util::stream::iter(chunks), None))
    }

    fn collected(body: Body) -> Result<Bytes, BodyError> {
        body.collect(1 << 30).now_or_never().expect("all chunks are there")
    }

    #[test]
    fn other_encodings_and_lists_of_them_are_left_alone() {
        let of = |value: &'static str| {
            let value = http::HeaderValue::from_static(value);
            Encoding::of(&HeaderMap::from_iter([(CONTENT_ENCODING, value)]))
        };
        assert_eq!([of("gzip"), of("br")], [Some(Encoding::Gzip), Some(Encoding::Brotli)]);
        assert_eq!([of("deflate"), of("gzip, br"), of("GZIP")], [None; 3]);
    }

    #[test]
    fn a_bomb_is_read_in_small_pieces() {
        for encoding in [Encoding::Gzip, Encoding::Brotli] {
            let bomb = encoding.encode(Body::Full(Bytes::from(vec![0; 64 << 20])));
            let Body::Stream(mut text) = encoding.decode(bomb) else { panic!("not a stream") };
            let mut cx = Context::from_waker(std::task::Waker::noop());
            let mut total = 0;
            while let Poll::Ready(Some(piece)) = Pin::new(&mut text).poll_next(&mut cx) {
                let piece = piece.unwrap();
                assert!(piece.len() <= 2 << 20, "{} bytes at once", piece.len());
                total += piece.len();
            }
            assert_eq!(total, 64 << 20, "{encoding:?}");
        }
    }

    proptest! {
        #[test]
        fn text_survives_whatever_its_chunks_are(
            chunks: Vec<Vec<u8>>,
            is_whole: bool,
            is_gzip: bool,
            cut in 1..50_usize,
        ) {
            let encoding = if is_gzip { Encoding::Gzip } else { Encoding::Brotli };
            let text = chunks.concat();
            let body = if is_whole { Body::Full(text.clone().into()) } else { stream(chunks) };
            let encoded = collected(encoding.encode(body)).unwrap();
            let pieces: Vec<Vec<u8>> = encoded.chunks(cut).map(<[u8]>::to_vec).collect();
            prop_assert_eq!(collected(encoding.decode(stream(pieces))).unwrap(), text);
            let short = encoded.slice(..encoded.len() - 1);
            prop_assert!(collected(encoding.decode(Body::Full(short))).is_err());
        }

        #[test]
        fn no_bytes_make_a_decoder_panic(bytes: Vec<u8>) {
            let _ = collected(Encoding::Gzip.decode(Body::Full(bytes.clone().into())));
            let _ = collected(Encoding::Brotli.decode(Body::Full(bytes.into())));
        }
    }
}
