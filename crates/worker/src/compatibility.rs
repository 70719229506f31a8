//! Compatibility dates and flags: which behaviours of the platform's history a worker asks for
//! (`spec/workers.md` §1.5, §7.5).
//!
//! `compatibility_flags.txt` has a line for every flag the platform knows: the name that turns it
//! on, the one that turns it off, the date from which it is on by default, whether it is
//! experimental, and which other flag turns it on from which date. Beryl behaves as the newest
//! date says, apart from the flags that are looked at somewhere; a worker can read all of them
//! as `Cloudflare.compatibilityFlags`.

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use isolate::NodeCompat;

use crate::error::Error;

/// The flags of one worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compatibility {
    /// By the flag's place in the table.
    on: [u64; WORDS],
}

/// Whether flags may be used that can change or go at any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Experimental {
    /// They may.
    Allowed,
    /// They are refused.
    Refused,
}

struct Flag {
    enable: &'static str,
    disable: &'static str,
    /// The date from which it is on.
    since: Option<&'static str>,
    is_experimental: bool,
    /// The flag that turns it on too, and the date from which it does.
    implied: Option<(&'static str, &'static str)>,
}

impl Compatibility {
    /// The flags that hold on a date, with changes.
    ///
    /// # Errors
    /// [`Error::AppCode`] in the platform's words.
    pub fn new(
        date: &str,
        changes: &[String],
        experimental: Experimental,
    ) -> Result<Compatibility, Error> {
        check_date(date)?;
        for (at, change) in changes.iter().enumerate() {
            if changes[..at].contains(change) {
                return refuse(format!("Compatibility flag specified multiple times: {change}"));
            }
        }
        let mut on = [0; WORDS];
        let mut known = 0;
        for (at, flag) in flags().iter().enumerate() {
            let named = |name: &str| name != NONE && changes.iter().any(|change| change == name);
            let (is_enabled, is_disabled) = (named(flag.enable), named(flag.disable));
            if is_enabled && is_disabled {
                return refuse(format!(
                    "Compatibility flags are mutually contradictory: {} vs {}",
                    flag.enable, flag.disable
                ));
            }
            if is_enabled && flag.is_experimental && experimental == Experimental::Refused {
                return refuse(format!(
                    "The compatibility flag {} is experimental and may break or be removed in a \
                     future version. To use this flag, you must pass 'allowExperimental: true'.",
                    flag.enable
                ));
            }
            known += usize::from(is_enabled) + usize::from(is_disabled);
            let by_date = flag.since.is_some_and(|since| since <= date);
            if is_enabled || (by_date && !is_disabled) {
                on[at / 64] |= 1 << (at % 64);
            }
        }
        if known < changes.len() {
            let is_flag = |name: &String| {
                name != NONE && flags().iter().any(|f| f.enable == name || f.disable == name)
            };
            let unknown = changes.iter().find(|change| !is_flag(change));
            let unknown = unknown.map_or("", String::as_str);
            return refuse(format!("No such compatibility flag: {unknown}"));
        }
        let disabled = |name: &str| changes.iter().any(|change| change == name);
        Ok(Compatibility { on }.with_implied(date, disabled))
    }

    /// Turns on what other flags bring with them on a date, unless it is disabled by name.
    fn with_implied(mut self, date: &str, disabled: impl Fn(&str) -> bool) -> Compatibility {
        let known = flags().iter().enumerate();
        // What is implied may imply others, whatever their order.
        for (at, flag) in known.clone().chain(known) {
            let Some((by, since)) = flag.implied else { continue };
            if since <= date && self.has(by) && !disabled(flag.disable) {
                self.on[at / 64] |= 1 << (at % 64);
            }
        }
        self
    }

    /// The flags that hold on a date, which may be one to come, with changes; and those that nobody
    /// knows. For tests of others, whose dates and flags are not the author's.
    #[must_use]
    pub fn lenient<'a>(
        date: &str,
        changes: impl IntoIterator<Item = &'a str>,
    ) -> (Compatibility, Vec<String>) {
        let mut on = [0; WORDS];
        let mut changes: Vec<&str> = changes.into_iter().collect();
        for (at, flag) in flags().iter().enumerate() {
            let by_date = flag.since.is_some_and(|since| since <= date);
            if (by_date && !changes.contains(&flag.disable)) || changes.contains(&flag.enable) {
                on[at / 64] |= 1 << (at % 64);
            }
        }
        let all = Compatibility { on }.with_implied(date, |name| changes.contains(&name));
        changes.retain(|name| !flags().iter().any(|f| f.enable == *name || f.disable == *name));
        (all, changes.into_iter().map(str::to_owned).collect())
    }

    /// What a worker gets that names no date: the behaviour of today.
    #[must_use]
    pub fn newest() -> Compatibility {
        let mut on = [0; WORDS];
        for (at, _) in flags().iter().enumerate().filter(|(_, flag)| flag.since.is_some()) {
            on[at / 64] |= 1 << (at % 64);
        }
        Compatibility { on }.with_implied(NEWEST, |_| false)
    }

    /// True if the flag with this enabling name is on.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.all().any(|(flag, is_on)| is_on && flag == name)
    }

    /// What may be used of Node.js.
    #[must_use]
    pub fn node(&self) -> NodeCompat {
        let flags = ["nodejs_als", "nodejs_compat", "nodejs_compat_v2"];
        NodeCompat::new("", flags.into_iter().filter(|flag| self.has(flag)))
    }

    /// Every flag by its enabling name.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, bool)> + '_ {
        let is_on = |at: usize| self.on[at / 64] & (1 << (at % 64)) != 0;
        flags().iter().enumerate().map(move |(at, flag)| (flag.enable, is_on(at)))
    }
}

fn refuse<T>(message: String) -> Result<T, Error> {
    Err(Error::app_code("Error", message))
}

fn check_date(date: &str) -> Result<(), Error> {
    let numbers: Option<Vec<u32>> = match date.bytes().all(|b| b.is_ascii_digit() || b == b'-') {
        true => date.split('-').map(|part| part.parse().ok()).collect(),
        false => None,
    };
    let is_date = date.len() == 10
        && matches!(numbers.as_deref(), Some([_, month, day]) if (1..=12).contains(month)
            && (1..=31).contains(day));
    if !is_date {
        return refuse(format!("Invalid compatibility date: {date}"));
    }
    let today = today().max(NEWEST.into());
    if *date > *today {
        return refuse(format!(
            "This Worker requires compatibility date \"{date}\", but the newest date supported \
             by this server binary is \"{today}\"."
        ));
    }
    Ok(())
}

/// The date in UTC.
#[must_use]
pub fn today() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    date_of_day(since.as_secs() / 86_400)
}

/// The date of a day since 1970, by whole eras of 400 years that begin in March.
fn date_of_day(day: u64) -> String {
    let day = day + 719_468;
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{date:02}")
}

fn flags() -> &'static [Flag] {
    static FLAGS: OnceLock<Vec<Flag>> = OnceLock::new();
    FLAGS.get_or_init(|| {
        let lines = include_str!("compatibility_flags.txt").lines();
        let flags = lines.filter_map(|line| {
            let mut words = line.split(' ');
            let mut flag = Flag {
                enable: words.next()?,
                disable: words.next()?,
                since: words.next().filter(|date| *date != NONE),
                is_experimental: false,
                implied: None,
            };
            for word in words {
                flag.is_experimental |= word == "experimental";
                flag.implied = word.split_once('@').or(flag.implied);
            }
            Some(flag)
        });
        flags.take(WORDS * 64).collect()
    })
}

/// Stands for what a flag has not.
const NONE: &str = "-";
/// The date of the table, so that a clock that is behind does no harm.
const NEWEST: &str = "2026-11-17";
/// Room for 256 flags; the platform has had 204 in five years.
const WORDS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn new(date: &str, changes: &[&str]) -> Result<Compatibility, Error> {
        let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
        Compatibility::new(date, &changes, Experimental::Refused)
    }

    fn refused(date: &str, changes: &[&str], expect: &str) {
        let error = new(date, changes).unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
    }

    #[test]
    fn the_table_fits_and_names_every_flag_once() {
        let lines: Vec<_> = include_str!("compatibility_flags.txt").lines().collect();
        assert_eq!(flags().len(), lines.len());
        let mut names: Vec<_> = flags().iter().flat_map(|f| [f.enable, f.disable]).collect();
        names.retain(|name| *name != "-");
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn flags_are_on_from_their_date_unless_a_change_says_otherwise() {
        let has = |date, changes: &[&str]| new(date, changes).unwrap().has("enable_ctx_exports");
        assert!(!has("2025-11-16", &[]) && has("2025-11-17", &[]));
        assert!(has("2025-11-16", &["enable_ctx_exports"]));
        assert!(!has("2025-11-17", &["disable_ctx_exports"]));
        assert!(Compatibility::newest().has("enable_ctx_exports"));
        assert!(!Compatibility::newest().has("experimental"));
        assert!(Compatibility::newest().has("enable_nodejs_global_timers"));
        let implied = |date: &str, changes: &[&str]| {
            new(date, changes).unwrap().has("enable_nodejs_global_timers")
        };
        assert!(!implied("2026-03-01", &[]) && implied("2026-03-01", &["nodejs_compat"]));
        assert!(!implied("2026-02-09", &["nodejs_compat"]));
        assert!(!implied("2026-03-01", &["nodejs_compat", "no_nodejs_global_timers"]));
    }

    #[test]
    fn mistakes_have_the_platforms_words() {
        refused("x", &[], "Invalid compatibility date: x");
        refused("2026-13-01", &[], "Invalid compatibility date: 2026-13-01");
        refused("9999-01-01", &[], "requires compatibility date \"9999-01-01\"");
        refused("2026-01-01", &["nope"], "No such compatibility flag: nope");
        refused("2026-01-01", &["-"], "No such compatibility flag: -");
        refused("2026-01-01", &["rpc", "no_rpc"], "mutually contradictory: rpc vs no_rpc");
        refused("2026-01-01", &["rpc", "rpc"], "specified multiple times: rpc");
        refused("2026-01-01", &["experimental"], "experimental is experimental");
        let changes = ["experimental".to_owned()];
        let allowed = Compatibility::new("2026-01-01", &changes, Experimental::Allowed);
        assert!(allowed.unwrap().has("experimental"));
    }

    #[test]
    fn days_have_dates() {
        for (day, date) in
            [(0, "1970-01-01"), (59, "1970-03-01"), (789, "1972-02-29"), (20_781, "2026-11-24")]
        {
            assert_eq!(date_of_day(day), date);
        }
    }
}
