//! How fast a request body must come while somebody waits for it: a client that sends a byte now
//! and then keeps a connection and a handler for ever (`spec/security.md` G01).

use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};
use worker::limits::BODY_BYTES_PER_SECOND_MIN;

/// The pace of one body. Time counts only while its reader waits.
pub(crate) struct Pace {
    idle: Duration,
    /// Since when the reader waits, and what ends the wait.
    wait: Option<(Instant, Pin<Box<Sleep>>)>,
    waited: Duration,
    bytes: u64,
}

impl Pace {
    pub(crate) fn new(idle: Duration) -> Pace {
        Pace { idle, wait: None, waited: Duration::ZERO, bytes: 0 }
    }

    /// The reader waits; true once it has for too long.
    pub(crate) fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        let idle = self.idle;
        let (_, end) = self.wait.get_or_insert_with(|| (Instant::now(), Box::pin(sleep(idle))));
        end.as_mut().poll(cx).is_ready()
    }

    /// Bytes have come; false if too few have in all the time that the reader waited.
    pub(crate) fn goes_on(&mut self, bytes: u64) -> bool {
        self.bytes += bytes;
        if let Some((since, _)) = self.wait.take() {
            self.waited += since.elapsed();
        }
        let least = self.waited.as_secs().saturating_mul(BODY_BYTES_PER_SECOND_MIN);
        self.waited <= self.idle || self.bytes >= least
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stands_still_or_crawls_is_over() {
        let mut cx = Context::from_waker(Waker::noop());
        let mut pace = Pace::new(Duration::from_secs(10));
        assert!(!pace.is_over(&mut cx));
        tokio::time::advance(Duration::from_secs(11)).await;
        assert!(pace.is_over(&mut cx));

        let mut pace = Pace::new(Duration::from_secs(10));
        for second in 0..30 {
            assert!(!pace.is_over(&mut cx));
            tokio::time::advance(Duration::from_secs(1)).await;
            assert_eq!(pace.goes_on(1), second < 10, "{second}");
        }

        let mut pace = Pace::new(Duration::from_secs(10));
        for _ in 0..100 {
            assert!(!pace.is_over(&mut cx));
            tokio::time::advance(Duration::from_secs(1)).await;
            assert!(pace.goes_on(BODY_BYTES_PER_SECOND_MIN));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_takes_its_time_costs_the_client_nothing() {
        let mut pace = Pace::new(Duration::from_secs(10));
        for _ in 0..10 {
            tokio::time::advance(Duration::from_secs(100)).await;
            assert!(pace.goes_on(1));
        }
    }
}
