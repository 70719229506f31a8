//! Which modules of Node.js a worker may import (`spec/workers.md` §7.3, §7.5).

/// What the compatibility date and flags of a worker give it of Node.js.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum NodeCompat {
    /// Nothing.
    #[default]
    None,
    /// `node:async_hooks` (`nodejs_als`).
    AsyncHooks,
    /// All modules and globals there are (`nodejs_compat`).
    All,
}

impl NodeCompat {
    /// What a date like `2026-04-01` and flags give.
    pub fn new<'a>(date: &str, flags: impl IntoIterator<Item = &'a str>) -> NodeCompat {
        let mut compat = if date >= ON_SINCE { NodeCompat::All } else { NodeCompat::None };
        for flag in flags {
            compat = match (flag, compat) {
                ("nodejs_compat" | "nodejs_compat_v2", _) => NodeCompat::All,
                ("no_nodejs_compat", _) => NodeCompat::None,
                ("nodejs_als", NodeCompat::None) => NodeCompat::AsyncHooks,
                (_, compat) => compat,
            };
        }
        compat
    }

    /// The module that a specifier with or without `node:` means, with it.
    pub(crate) fn find(self, specifier: &str) -> Option<String> {
        let name = specifier.strip_prefix("node:").unwrap_or(specifier);
        let is_allowed = match self {
            NodeCompat::None => false,
            NodeCompat::AsyncHooks => name == "async_hooks",
            NodeCompat::All => NODE_MODULES.contains(&name),
        };
        is_allowed.then(|| format!("node:{name}"))
    }

    /// What to say of a module of Node.js that is not there.
    pub(crate) fn hint(self, specifier: &str) -> Option<String> {
        let name = specifier.strip_prefix("node:")?;
        Some(match self {
            NodeCompat::All => {
                format!("Beryl does not have node:{name} yet; it has {}.", NODE_MODULES.join(", "))
            }
            NodeCompat::None | NodeCompat::AsyncHooks if NODE_MODULES.contains(&name) => {
                "The compatibility flag nodejs_compat makes it available.".into()
            }
            NodeCompat::None | NodeCompat::AsyncHooks => {
                format!("Beryl does not have node:{name} yet.")
            }
        })
    }
}

/// The modules of Node.js there are, without `node:`.
pub const NODE_MODULES: &[&str] = &[
    "_stream_duplex",
    "_stream_passthrough",
    "_stream_readable",
    "_stream_transform",
    "_stream_writable",
    "assert",
    "assert/strict",
    "async_hooks",
    "buffer",
    "console",
    "crypto",
    "diagnostics_channel",
    "events",
    "module",
    "path",
    "path/posix",
    "path/win32",
    "process",
    "punycode",
    "querystring",
    "stream",
    "stream/consumers",
    "stream/promises",
    "stream/web",
    "string_decoder",
    "sys",
    "test",
    "timers",
    "timers/promises",
    "url",
    "util",
    "util/types",
];

/// The compatibility date from which `nodejs_compat` needs no flag.
const ON_SINCE: &str = "2026-08-04";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_and_dates_give_modules() {
        let check = |date, flags: &[&str], expect| {
            assert_eq!(NodeCompat::new(date, flags.iter().copied()), expect, "{date} {flags:?}");
        };
        check("2026-04-01", &[], NodeCompat::None);
        check("2026-04-01", &["nodejs_compat"], NodeCompat::All);
        check("2026-04-01", &["nodejs_als"], NodeCompat::AsyncHooks);
        check("2026-04-01", &["nodejs_als", "nodejs_compat"], NodeCompat::All);
        check("2026-08-04", &[], NodeCompat::All);
        check("2026-08-04", &["no_nodejs_compat"], NodeCompat::None);
    }

    #[test]
    fn specifiers_are_found_with_and_without_prefix() {
        let all = NodeCompat::All;
        assert_eq!(all.find("node:path/posix").as_deref(), Some("node:path/posix"));
        assert_eq!(all.find("buffer").as_deref(), Some("node:buffer"));
        assert_eq!(all.find("node:fs"), None);
        assert_eq!(NodeCompat::AsyncHooks.find("node:path"), None);
        assert!(NodeCompat::AsyncHooks.find("node:async_hooks").is_some());
        assert!(NodeCompat::None.hint("node:path").unwrap().contains("nodejs_compat"));
        assert!(all.hint("node:fs").unwrap().contains("node:fs"));
        assert_eq!(all.hint("./a.js"), None);
    }
}
