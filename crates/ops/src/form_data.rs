//! Reading forms: `multipart/form-data` (RFC 7578) and `application/x-www-form-urlencoded`.

use std::borrow::Cow;

use bytes::Bytes;
use deno_core::{op2, v8};
use url::form_urlencoded;

use crate::body::bytes_to_v8;
use crate::request::v8_text;

/// Why a body is no form; the texts are the platform's.
#[derive(Debug, PartialEq, Eq, thiserror::Error, deno_error::JsError)]
#[class(type)]
pub enum FormError {
    /// The content type is none of a form.
    #[error(
        "Unrecognized Content-Type header value. FormData can only parse the following MIME \
         types: multipart/form-data, application/x-www-form-urlencoded"
    )]
    Type,
    /// The content type lacks the boundary between the parts.
    #[error(
        "No boundary string in Content-Type header. The multipart/form-data MIME type requires a \
         boundary parameter, e.g. 'Content-Type: multipart/form-data; boundary=\"abcd\"'. See RFC \
         7578, section 4."
    )]
    NoBoundary,
    /// A text in another encoding than UTF-8.
    #[error("Non-utf-8 application/x-www-form-urlencoded body.")]
    Charset,
    /// The body does not start with the boundary.
    #[error("No initial boundary string (or you have a truncated message).")]
    NoStart,
    /// The body ends before its last boundary.
    #[error("No subsequent boundary string after multipart message.")]
    NoEnd,
    /// The headers of a part do not end.
    #[error("FormData part had invalid headers.")]
    Headers,
    /// A part does not say what it is.
    #[error("No Content-Disposition header in FormData part.")]
    NoDisposition,
    /// A part is something else.
    #[error(
        "Content-Disposition header for FormData part must have the value \"form-data\", \
         possibly followed by parameters. Got: \"{0}\""
    )]
    Disposition(String),
    /// A part has no name.
    #[error(
        "Content-Disposition header for FormData part must have a name parameter. See RFC 7578, \
         section 4.2."
    )]
    NoName,
}

/// One field of a form.
#[derive(Debug, PartialEq, Eq)]
struct Field<'a> {
    name: Cow<'a, str>,
    value: Value<'a>,
}

#[derive(Debug, PartialEq, Eq)]
enum Value<'a> {
    Text(Cow<'a, str>),
    File { name: Cow<'a, str>, kind: Cow<'a, str>, content: &'a [u8] },
}

/// Reads a form: for every field its name, then a string, or a file as file name, content type
/// and `Uint8Array`; four values each, null where there is no file.
#[op2]
pub fn op_form_data_parse<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    #[buffer] body: &[u8],
    #[string] content_type: &str,
) -> Result<v8::Local<'s, v8::Array>, FormError> {
    let fields = parse(body, content_type)?;
    let mut flat = Vec::with_capacity(fields.len() * 4);
    for Field { name, value } in fields {
        flat.push(v8_text(scope, &name));
        match value {
            Value::Text(text) => {
                let null = v8::null(scope).into();
                flat.extend([null, null, v8_text(scope, &text)]);
            }
            Value::File { name, kind, content } => {
                flat.push(v8_text(scope, &name));
                flat.push(v8_text(scope, &kind));
                flat.push(bytes_to_v8(scope, Bytes::copy_from_slice(content)).into());
            }
        }
    }
    Ok(v8::Array::new_with_elements(scope, &flat))
}

fn parse<'a>(body: &'a [u8], content_type: &str) -> Result<Vec<Field<'a>>, FormError> {
    let (essence, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    match essence.trim().to_ascii_lowercase().as_str() {
        "application/x-www-form-urlencoded" => {
            let charset = parameter(parameters, "charset").unwrap_or_else(|| "utf-8".into());
            if !charset.eq_ignore_ascii_case("utf-8") && !charset.eq_ignore_ascii_case("utf8") {
                return Err(FormError::Charset);
            }
            let text = |(name, value)| Field { name, value: Value::Text(value) };
            Ok(form_urlencoded::parse(body).map(text).collect())
        }
        "multipart/form-data" => {
            let boundary = parameter(parameters, "boundary").filter(|text| !text.is_empty());
            let boundary = boundary.ok_or(FormError::NoBoundary)?;
            multipart(body, format!("--{boundary}").as_bytes())
        }
        _ => Err(FormError::Type),
    }
}

fn multipart<'a>(body: &'a [u8], boundary: &[u8]) -> Result<Vec<Field<'a>>, FormError> {
    let start = find(body, boundary).ok_or(FormError::NoStart)?;
    let mut rest = &body[start + boundary.len()..];
    let mut fields = Vec::new();
    let between = [b"\n", boundary].concat();
    while !rest.starts_with(b"--") {
        // Line ends without \r are none in the RFC, but the platform takes them.
        let rest_of_line = rest.strip_prefix(b"\r").unwrap_or(rest);
        let part = rest_of_line.strip_prefix(b"\n").ok_or(FormError::NoEnd)?;
        let (head, content) = split_head(part).ok_or(FormError::Headers)?;
        let end = find(content, &between).ok_or(FormError::NoEnd)?;
        let value = content[..end].strip_suffix(b"\r").unwrap_or(&content[..end]);
        fields.push(field(head, value)?);
        rest = &content[end + between.len()..];
    }
    Ok(fields)
}

/// The headers of a part and what comes after their empty line.
fn split_head(part: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut from = 0;
    loop {
        let end = from + part[from..].iter().position(|byte| *byte == b'\n')?;
        let next = &part[end + 1..];
        let content = next.strip_prefix(b"\n").or_else(|| next.strip_prefix(b"\r\n"));
        match content {
            Some(content) => return Some((&part[..end], content)),
            None => from = end + 1,
        }
    }
}

fn field<'a>(head: &'a [u8], content: &'a [u8]) -> Result<Field<'a>, FormError> {
    let head = String::from_utf8_lossy(head);
    let header = |wanted: &str| {
        let lines = head.lines().filter_map(|line| line.split_once(':'));
        let mut found = lines.filter(|(name, _)| name.trim().eq_ignore_ascii_case(wanted));
        found.next().map(|(_, value)| value.trim().to_owned())
    };
    let disposition = header("content-disposition").ok_or(FormError::NoDisposition)?;
    let (kind, parameters) = disposition.split_once(';').unwrap_or((&disposition, ""));
    if !kind.trim().eq_ignore_ascii_case("form-data") {
        return Err(FormError::Disposition(kind.trim().to_owned()));
    }
    let name = parameter(parameters, "name").ok_or(FormError::NoName)?;
    let value = match parameter(parameters, "filename") {
        None => Value::Text(String::from_utf8_lossy(content)),
        Some(file) => {
            let kind = header("content-type").unwrap_or_default();
            Value::File { name: file.into(), kind: kind.into(), content }
        }
    };
    Ok(Field { name: name.into(), value })
}

/// The value of a parameter of a header, quoted or not.
fn parameter(parameters: &str, wanted: &str) -> Option<String> {
    let mut rest = parameters;
    loop {
        let (name, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => {
                let end = quoted_end(quoted)?;
                (unescaped(&quoted[..end]), &quoted[end + 1..])
            }
            None => {
                let end = after.find(';').unwrap_or(after.len());
                (after[..end].trim().to_owned(), &after[end..])
            }
        };
        if name.trim_matches([';', ' ', '\t']).eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = next;
    }
}

/// Where a quoted text ends: at the first quote without a backslash before it.
fn quoted_end(quoted: &str) -> Option<usize> {
    let mut is_escaped = false;
    for (at, byte) in quoted.bytes().enumerate() {
        match byte {
            b'"' if !is_escaped => return Some(at),
            b'\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    None
}

/// A quoted text without its backslashes. The percent signs that stand for quotes and line ends
/// in what browsers write stay, as on the platform.
fn unescaped(quoted: &str) -> String {
    let mut text = String::with_capacity(quoted.len());
    let mut rest = quoted.chars();
    while let Some(next) = rest.next() {
        let plain = if next == '\\' { rest.next() } else { Some(next) };
        text.extend(plain);
    }
    text
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TYPE: &str = "multipart/form-data; charset=x; boundary=\"b d\"";

    fn text(name: &str, value: &str) -> (String, String) {
        (name.into(), value.into())
    }

    fn read(body: &str) -> Result<Vec<(String, String)>, FormError> {
        let fields = parse(body.as_bytes(), TYPE)?;
        let pair = |field: Field<'_>| match field.value {
            Value::Text(value) => text(&field.name, &value),
            Value::File { name, kind, content } => {
                text(&field.name, &format!("{name}|{kind}|{}", String::from_utf8_lossy(content)))
            }
        };
        Ok(fields.into_iter().map(pair).collect())
    }

    #[test]
    fn fields_and_files_are_read_in_their_order() {
        let body = "--b d\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n2\r\n\
                    --b d\r\ncontent-disposition: form-data; name=x; filename=\"f;%22\\\".txt\"\r\n\
                    Content-Type: text/x\r\n\r\n--b\r\n--b d--\r\n";
        let expected = [text("a", "1\r\n2"), text("x", "f;%22\".txt|text/x|--b")];
        assert_eq!(read(body).unwrap(), expected);
        assert_eq!(read("--b d--").unwrap(), []);
    }

    #[test]
    fn what_is_no_form_is_named() {
        let part = |head: &str| read(&format!("--b d\r\n{head}\r\n\r\nx\r\n--b d--"));
        assert_eq!(read(""), Err(FormError::NoStart));
        assert_eq!(read("--b d\r\n"), Err(FormError::Headers));
        assert_eq!(read("--b d"), Err(FormError::NoEnd));
        assert_eq!(part("a: b"), Err(FormError::NoDisposition));
        assert_eq!(part("content-disposition: file"), Err(FormError::Disposition("file".into())));
        assert_eq!(part("content-disposition: form-data"), Err(FormError::NoName));
        assert_eq!(parse(b"", "text/plain").unwrap_err(), FormError::Type);
        assert_eq!(parse(b"", "multipart/form-data").unwrap_err(), FormError::NoBoundary);
        let empty = "multipart/form-data; boundary=";
        assert_eq!(parse(b"----", empty).unwrap_err(), FormError::NoBoundary);
        let big5 = "application/x-www-form-urlencoded; charset=big5";
        assert_eq!(parse(b"a=b", big5).unwrap_err(), FormError::Charset);
    }

    proptest! {
        #[test]
        fn whatever_comes_is_a_form_or_an_error(
            parts in prop::collection::vec("(--b d|\r\n|:|;|=|\"|name|form-data|x| )", 0..40),
        ) {
            let _ = read(&parts.concat());
        }
    }
}
