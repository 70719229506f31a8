//! Which apps ended worker processes, and how long each is refused: ever longer. Pure.

use std::collections::HashMap;
use std::time::Duration;

/// The strikes of all apps, as the keeper counts them.
#[derive(Debug, Default)]
pub struct Strikes(HashMap<String, Strike>);

#[derive(Debug)]
struct Strike {
    count: u32,
    until_ms: u64,
}

impl Strikes {
    /// An app ended a worker process; gives how long it is refused.
    pub fn add(&mut self, app: &str, now_ms: u64) -> Duration {
        let forgotten_ms = millis(FORGOTTEN_AFTER);
        self.0.retain(|_, strike| now_ms < strike.until_ms.saturating_add(forgotten_ms));
        let strike = self.0.entry(app.into()).or_insert(Strike { count: 0, until_ms: 0 });
        let pause = FIRST_PAUSE.saturating_mul(PAUSE_FACTOR.saturating_pow(strike.count));
        let pause = pause.min(LONGEST_PAUSE);
        strike.count += 1;
        strike.until_ms = now_ms.saturating_add(millis(pause));
        pause
    }

    /// Whose strikes are not forgotten yet.
    #[must_use]
    pub fn known(&self, now_ms: u64) -> Vec<String> {
        let forgotten_ms = millis(FORGOTTEN_AFTER);
        let known = self.0.iter();
        let known = known.filter(|(_, one)| now_ms < one.until_ms.saturating_add(forgotten_ms));
        let mut known: Vec<String> = known.map(|(app, _)| app.clone()).collect();
        known.sort();
        known
    }

    /// Who is refused until when, for the next worker process: `app=ms,…`.
    #[must_use]
    pub fn to_text(&self, now_ms: u64) -> String {
        let refused = self.0.iter().filter(|(_, strike)| strike.until_ms > now_ms);
        let mut refused: Vec<String> =
            refused.map(|(app, strike)| format!("{app}={}", strike.until_ms)).collect();
        refused.sort();
        refused.join(",")
    }

    /// What [`to_text`](Self::to_text) wrote; what is damaged in it is left out.
    #[must_use]
    pub fn parse(text: &str) -> HashMap<String, u64> {
        let entries = text.split(',').filter_map(|entry| entry.split_once('='));
        entries.filter_map(|(app, ms)| Some((app.to_owned(), ms.parse().ok()?))).collect()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The first strike may be bad luck; it costs about as much as the restart cost the others.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const PAUSE_FACTOR: u32 = 5;
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// After this time without another one, strikes are forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_strike_costs_more_until_they_are_forgotten() {
        let mut strikes = Strikes::default();
        let pauses: Vec<u64> = (0..6).map(|_| strikes.add("bad", 1_000).as_secs()).collect();
        assert_eq!(pauses, [2, 10, 50, 250, 600, 600]);
        assert_eq!(strikes.add("other", 1_000).as_secs(), 2);
        let later = 1_000 + 600_000 + millis(FORGOTTEN_AFTER);
        assert_eq!(strikes.add("bad", later).as_secs(), 2);
    }

    #[test]
    fn the_next_process_reads_who_is_refused() {
        let mut strikes = Strikes::default();
        strikes.add("a", 1_000);
        strikes.add("b", 5_000);
        assert_eq!(strikes.to_text(3_000), "b=7000");
        assert_eq!(strikes.known(3_000), ["a", "b"]);
        assert_eq!(strikes.known(3_000 + millis(FORGOTTEN_AFTER)), ["b"]);
        assert_eq!(strikes.to_text(2_999), "a=3000,b=7000");
        assert_eq!(
            Strikes::parse("a=3000,b=7000,c,d=x,"),
            [("a".to_owned(), 3_000), ("b".to_owned(), 7_000)].into()
        );
        assert!(Strikes::parse("").is_empty());
    }
}
