//! Who may talk to the admin listener: a known Host, no foreign Origin, the token.
//!
//! The Host check keeps a web page from reaching the listener under a name of its own that
//! resolves to this machine (DNS rebinding); the Origin check keeps it from sending requests
//! to the listener's real name.

use http::header::{AUTHORIZATION, HOST, ORIGIN};
use http::{HeaderMap, StatusCode};

use crate::refusal::Refusal;
use crate::token::Token;

/// The rules of one admin listener.
pub(crate) struct Access {
    /// Without it every client that passes the other checks is let in.
    pub(crate) token: Option<Token>,
    /// Host names, in lower case and without port, that are good besides the loopback names.
    pub(crate) hosts: Vec<String>,
}

impl Access {
    /// Checks what holds for every URL: where the request claims to go and to come from.
    pub(crate) fn check_source(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let host = one(headers, HOST.as_str()).unwrap_or_default().to_ascii_lowercase();
        let name = without_port(&host);
        if !LOOPBACK.contains(&name) && !self.hosts.iter().any(|known| known == name) {
            let message = format!(
                "the host \"{name}\" is not known to the admin listener; use localhost or the \
                 address it was started with"
            );
            return Err(Refusal::new(StatusCode::FORBIDDEN, "forbidden_host", message));
        }
        if !headers.contains_key(ORIGIN) {
            return Ok(());
        }
        let own = format!("http://{host}");
        match one(headers, ORIGIN.as_str()) {
            Some(origin) if origin.eq_ignore_ascii_case(&own) => Ok(()),
            _ => {
                let message = "web pages of other origins may not use the admin listener";
                Err(Refusal::new(StatusCode::FORBIDDEN, "forbidden_origin", message))
            }
        }
    }

    /// Checks the bearer token (RFC 6750 §2.1).
    pub(crate) fn check_token(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let Some(token) = &self.token else { return Ok(()) };
        let Some(sent) = one(headers, AUTHORIZATION.as_str()) else {
            return Err(Refusal::unauthorized(
                "send the token of the file admin-token as \"Authorization: Bearer <token>\"",
            ));
        };
        match sent.split_once(' ') {
            Some((scheme, sent))
                if scheme.eq_ignore_ascii_case("bearer") && token.matches(sent.trim()) =>
            {
                Ok(())
            }
            _ => Err(Refusal::unauthorized(
                "the token is wrong; the right one is in the file admin-token",
            )),
        }
    }
}

/// The value of a header that came exactly once.
fn one<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

fn without_port(host: &str) -> &str {
    if host.starts_with('[') {
        return host.find(']').map_or(host, |end| &host[..=end]);
    }
    host.split(':').next().unwrap_or_default()
}

const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];
