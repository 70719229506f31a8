//! Which app a public URL belongs to. Pure: no I/O, no clock, no state.
//!
//! `http://<app>.localhost/…` and `http://<app>.<base domain>/…` reach an app by its name in
//! the host. On every other host `/apps/<app>/…` reaches it by path, and the app sees the URL
//! without that prefix. A host that names an app never falls back to the path form.

use std::borrow::Cow;
use std::rc::Rc;

use http::StatusCode;
use serde_json::json;
use worker::entrypoint::{Call, Entrypoint, Reply, Serialized};
use worker::error::Error;
use worker::message::{Request, Response};

/// The routing table of the public listener.
#[derive(Debug, Clone)]
pub struct Router {
    /// Each with a leading dot, lower case.
    suffixes: Vec<String>,
}

/// Where a URL leads.
#[derive(Debug, PartialEq, Eq)]
pub enum Route<'a> {
    /// To the app of this name, which is not empty but otherwise unchecked; it sees `url`.
    App {
        /// The app's name.
        name: &'a str,
        /// The URL without what was only for routing.
        url: Cow<'a, str>,
    },
    /// To no app.
    NotFound,
}

/// Finds the entrypoint of an app by name.
pub trait Resolve {
    /// The app's entrypoint, or `None` where there is no such app.
    fn resolve(&self, app: &str) -> Option<Rc<dyn Entrypoint>>;
}

/// The entrypoint of the public listener: passes each request to the app it is for.
pub struct Public<R> {
    router: Router,
    apps: R,
}

impl Router {
    /// Routes `<app>.localhost` and, if it is another, `<app>.<base_domain>`.
    #[must_use]
    pub fn new(base_domain: &str) -> Router {
        let base_domain = base_domain.trim_matches('.').to_ascii_lowercase();
        let mut suffixes = vec![format!(".{LOCALHOST}")];
        if !base_domain.is_empty() && base_domain != LOCALHOST {
            suffixes.push(format!(".{base_domain}"));
        }
        Router { suffixes }
    }

    /// Routes a URL whose host is valid and in lower case, as the connection makes it.
    #[must_use]
    pub fn route<'a>(&self, url: &'a str) -> Route<'a> {
        let Some((scheme, rest)) = url.split_once("://") else { return Route::NotFound };
        let path_start = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(path_start);
        if authority.contains('@') {
            return Route::NotFound;
        }
        let host = host_of(authority);
        match self.label(host) {
            Some(name) if name.is_empty() || name.contains('.') => Route::NotFound,
            Some(name) => Route::App { name, url: Cow::Borrowed(url) },
            None => by_path(&url[..scheme.len() + 3 + authority.len()], path),
        }
    }

    /// What stands before a known suffix.
    fn label<'a>(&self, host: &'a str) -> Option<&'a str> {
        self.suffixes.iter().find_map(|suffix| host.strip_suffix(suffix.as_str()))
    }
}

impl<R: Resolve> Public<R> {
    /// Serves `apps` by the rules of `router`.
    pub fn new(router: Router, apps: R) -> Public<R> {
        Public { router, apps }
    }
}

impl<R: Resolve> Entrypoint for Public<R> {
    fn fetch(&self, mut request: Request) -> Reply<Response> {
        let (found, url) = match self.router.route(&request.url) {
            Route::NotFound => return not_found(NO_APP_HERE.into()),
            Route::App { name, url } => match self.apps.resolve(name) {
                None => return not_found(format!("there is no app named \"{name}\"")),
                Some(app) => match url {
                    Cow::Borrowed(_) => (app, None),
                    Cow::Owned(url) => (app, Some(url)),
                },
            },
        };
        if let Some(url) = url {
            request.url = url;
        }
        found.fetch(request)
    }

    fn call(&self, _call: Call) -> Reply<Serialized> {
        let error = Error::AppNoHandler("the public listener takes requests only".into());
        Box::pin(std::future::ready(Err(error)))
    }
}

impl<F> Resolve for F
where
    F: Fn(&str) -> Option<Rc<dyn Entrypoint>>,
{
    fn resolve(&self, app: &str) -> Option<Rc<dyn Entrypoint>> {
        self(app)
    }
}

/// The host without port and without the dot that marks a fully qualified name.
fn host_of(authority: &str) -> &str {
    if authority.starts_with('[') {
        return authority;
    }
    let host = authority.split(':').next().unwrap_or_default();
    host.strip_suffix('.').unwrap_or(host)
}

fn by_path<'a>(origin: &str, path: &'a str) -> Route<'a> {
    let Some(rest) = path.strip_prefix(PATH_PREFIX) else { return Route::NotFound };
    let name_end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (name, rest) = rest.split_at(name_end);
    if name.is_empty() {
        return Route::NotFound;
    }
    let slash = if rest.starts_with('/') { "" } else { "/" };
    Route::App { name, url: Cow::Owned([origin, slash, rest].concat()) }
}

fn not_found(message: String) -> Reply<Response> {
    let body = json!({ "error": { "code": "not_found", "message": message } });
    Box::pin(std::future::ready(Ok(Response::json(StatusCode::NOT_FOUND, &body))))
}

const LOCALHOST: &str = "localhost";
const PATH_PREFIX: &str = "/apps/";
const NO_APP_HERE: &str =
    "this URL names no app; use http://<app>.localhost:<port>/ or /apps/<app>/";

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, expect: Option<(&str, &str)>) {
        let router = Router::new("Apps.Example.COM.");
        let found = match router.route(url) {
            Route::App { name, url } => Some((name.to_owned(), url.into_owned())),
            Route::NotFound => None,
        };
        let expect = expect.map(|(name, url)| (name.to_owned(), url.to_owned()));
        assert_eq!(found, expect, "{url}");
    }

    #[test]
    fn a_host_names_an_app_by_its_one_label_before_the_base() {
        for url in [
            "http://blog.localhost/",
            "http://blog.localhost:8787/a/b?c=d",
            "http://blog.localhost.:8787/",
            "http://blog.apps.example.com/apps/other/",
            "http://blog.localhost",
        ] {
            check(url, Some(("blog", url)));
        }
        for url in [
            "http://.localhost/apps/blog/",
            "http://a.b.localhost/apps/blog/",
            "http://..localhost/",
            "http://localhost/",
            "http://example.com/",
            "http://apps.example.com/",
            "http://blog.example.com/",
            "http://bloglocalhost/",
            "http://blog.localhost.evil.com/",
            "http://blog.localhost../",
            "http://[::1]:8787/",
            "http://127.0.0.1/",
            "nonsense",
            "",
        ] {
            check(url, None);
        }
        let long = format!("http://{}.localhost/", "a".repeat(200));
        check(&long, Some((&"a".repeat(200), &long)));
    }

    #[test]
    fn user_info_never_names_the_app() {
        // The connection refuses such hosts; the router must not be misled either way.
        for url in [
            "http://blog.localhost@evil.com/",
            "http://blog.localhost:80@evil.com/",
            "http://x@blog.localhost/",
            "http://x@localhost/apps/blog/",
        ] {
            check(url, None);
        }
    }

    #[test]
    fn the_path_form_works_on_every_host_that_names_no_app() {
        for (url, name, seen) in [
            ("http://localhost:8787/apps/blog/a?b", "blog", "http://localhost:8787/a?b"),
            ("http://localhost/apps/blog", "blog", "http://localhost/"),
            ("http://localhost/apps/blog?x=/y", "blog", "http://localhost/?x=/y"),
            ("http://[::1]:87/apps/blog//a", "blog", "http://[::1]:87//a"),
            ("http://127.0.0.1/apps/a%2fb/", "a%2fb", "http://127.0.0.1/"),
            ("http://apps.example.com/apps/..", "..", "http://apps.example.com/"),
        ] {
            check(url, Some((name, seen)));
        }
        for url in [
            "http://localhost/apps",
            "http://localhost/apps/",
            "http://localhost/apps//blog/",
            "http://localhost/apps/?blog",
            "http://localhost/Apps/blog/",
            "http://localhost/x/apps/blog/",
            "http://localhost?/apps/blog/",
        ] {
            check(url, None);
        }
    }
}
