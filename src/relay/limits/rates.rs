//! Rates by key, in bounded memory.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};

/// Keys of one rate that are told apart.
const MOST_KEYS: usize = 65_536;

/// Who is taken for one sender: an address of IPv4, or the 64 bits of one of IPv6 that a site is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Network(IpAddr);

impl Network {
    pub(super) fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => {
                let mut octets = address.octets();
                octets[8..].fill(0);
                IpAddr::V6(octets.into())
            }
            address => address,
        })
    }
}

/// So many in a span, all at once or spread over it; `None` is everybody beyond [`MOST_KEYS`].
pub(super) struct Rate<K: Clone + Eq + Hash> {
    counts: DefaultKeyedRateLimiter<Option<K>>,
    clock: DefaultClock,
}

impl<K: Clone + Eq + Hash> Rate<K> {
    pub(super) fn per_minute(most: NonZeroU32) -> Self {
        Self::new(Quota::per_minute(most))
    }

    pub(super) fn per_hour(most: NonZeroU32) -> Self {
        Self::new(Quota::per_hour(most))
    }

    fn new(quota: Quota) -> Self {
        Self { counts: DefaultKeyedRateLimiter::keyed(quota), clock: DefaultClock::default() }
    }

    /// Counts one; how long to wait where it is one too many.
    pub(super) fn count(&self, key: K) -> Result<(), Duration> {
        let key = if self.counts.len() < MOST_KEYS { Some(key) } else { None };
        self.counts.check_key(&key).map_err(|until| until.wait_time_from(self.clock.now()))
    }

    pub(super) fn sweep(&self) {
        self.counts.retain_recent();
        self.counts.shrink_to_fit();
    }
}

/// Failed authentications by address, and who has to wait because of them.
pub(super) struct Attempts {
    failures: Rate<Network>,
    waiting: Mutex<HashMap<Network, Instant>>,
}

impl Attempts {
    pub(super) fn new(failures: NonZeroU32) -> Self {
        Self { failures: Rate::per_minute(failures), waiting: Mutex::default() }
    }

    /// Whether the address need not wait; how long it must, else.
    pub(super) fn may_try(&self, address: Network) -> Result<(), Duration> {
        let Ok(waiting) = self.waiting.lock() else { return Ok(()) };
        let until = waiting.get(&address).map(|until| until.saturating_duration_since(Instant::now()));
        until.filter(|wait| !wait.is_zero()).map_or(Ok(()), Err)
    }

    /// Counts a failure; how long to wait where it is one too many.
    pub(super) fn failed(&self, address: Network) -> Result<(), Duration> {
        let counted = self.failures.count(address);
        if let Err(wait) = counted
            && let Ok(mut waiting) = self.waiting.lock()
            && waiting.len() < MOST_KEYS
        {
            waiting.insert(address, Instant::now() + wait);
        }
        counted
    }

    pub(super) fn sweep(&self) {
        self.failures.sweep();
        if let Ok(mut waiting) = self.waiting.lock() {
            let now = Instant::now();
            waiting.retain(|_, until| *until > now);
            waiting.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        Network::of(text.parse().unwrap())
    }

    #[test]
    fn a_site_of_ipv6_is_one_sender() {
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff::7"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }

    #[test]
    fn who_failed_too_often_waits_and_others_do_not() {
        let attempts = Attempts::new(NonZeroU32::new(3).unwrap());
        let (guesser, other) = (network("192.0.2.1"), network("192.0.2.2"));
        for _ in 0..3 {
            assert_eq!(attempts.failed(guesser), Ok(()));
            assert_eq!(attempts.may_try(guesser), Ok(()));
        }
        let wait = attempts.failed(guesser).unwrap_err();
        assert!(wait > Duration::from_secs(10) && wait <= Duration::from_secs(20), "{wait:?}");
        assert!(attempts.may_try(guesser).is_err());
        assert_eq!(attempts.may_try(other), Ok(()));
    }

    #[test]
    fn many_addresses_share_one_place() {
        let rate = Rate::per_minute(NonZeroU32::new(1).unwrap());
        for number in 0..MOST_KEYS as u32 {
            assert_eq!(rate.count(number), Ok(()));
        }
        assert_eq!(rate.count(u32::MAX), Ok(()), "the first of the rest");
        assert!(rate.count(u32::MAX - 1).is_err(), "the second of the rest");
        assert_eq!(rate.counts.len(), MOST_KEYS + 1);
    }
}
