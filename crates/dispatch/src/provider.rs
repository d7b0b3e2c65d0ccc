//! How much a provider may be given: room, rate and daily quota.
//!
//! Separate from `delivery`, which asks only how many messages fit now and when the next one will.

use crate::input::ProviderSpec;
use base::{Mono, Now, Wall};

const DAY_MS: i64 = 86_400_000;

/// One configured way out.
#[derive(Clone, Debug)]
pub(crate) struct Provider {
    pub(crate) spec: ProviderSpec,
    /// Deliveries it can take now.
    pub(crate) free: usize,
    /// When its rate was used up to (generic cell rate algorithm: one message costs a minute / rate).
    used_until: Mono,
    /// Messages sent on the day (UTC, counted from 1970).
    pub(crate) today: (i64, u32),
    /// The operators last heard that it fails.
    pub(crate) told_failing: bool,
}

impl Provider {
    pub(crate) fn new(spec: ProviderSpec, today: (i64, u32)) -> Self {
        Self { spec, free: 0, used_until: Mono(0), today, told_failing: false }
    }

    /// How many messages its rate and its daily quota allow at `now`.
    pub(crate) fn allowance(&self, now: Now) -> usize {
        let quota = self.spec.per_day.map_or(u32::MAX, |max| max.saturating_sub(self.sent_on(day(now.wall))));
        let rate = self.cost().map_or(u64::MAX, |cost| {
            let ahead = self.used_until.0.saturating_sub(now.mono.0);
            burst(cost).saturating_sub(ahead) / cost
        });
        usize::try_from(rate.min(u64::from(quota))).unwrap_or(usize::MAX)
    }

    /// Milliseconds that one message takes of the rate.
    fn cost(&self) -> Option<u64> {
        self.spec.per_minute.map(|rate| (60_000 / u64::from(rate.max(1))).max(1))
    }

    pub(crate) fn spend(&mut self, now: Now, messages: usize) {
        let count = u64::try_from(messages).unwrap_or(u64::MAX);
        self.free = self.free.saturating_sub(messages);
        if let Some(cost) = self.cost() {
            self.used_until =
                Mono(self.used_until.0.max(now.mono.0).saturating_add(cost.saturating_mul(count)));
        }
        self.count(now, messages);
    }

    /// Another node sent by it: the quota is the provider's, whoever uses it.
    pub(crate) fn count(&mut self, now: Now, messages: usize) {
        let today = day(now.wall);
        self.today = (today, self.sent_on(today).saturating_add(u32::try_from(messages).unwrap_or(u32::MAX)));
    }

    /// Its daily quota is used up.
    pub(crate) fn is_exhausted(&self, now: Now) -> bool {
        self.spec.per_day.is_some_and(|max| self.sent_on(day(now.wall)) >= max)
    }

    /// Messages sent on that day.
    pub(crate) fn sent_on(&self, day: i64) -> u32 {
        if self.today.0 == day { self.today.1 } else { 0 }
    }

    /// When its allowance grows again, if it is used up.
    pub(crate) fn replenished(&self, now: Now) -> Option<Mono> {
        if self.is_exhausted(now) {
            let today = day(now.wall);
            let midnight = Wall((today + 1).saturating_mul(DAY_MS));
            return Some(now.mono + midnight.since(now.wall));
        }
        let cost = self.cost()?;
        // The next message fits in once no more than a burst less one message lies ahead.
        let room = self.used_until.0.saturating_sub(burst(cost) - cost);
        (self.allowance(now) == 0).then(|| Mono(room.max(now.mono.0 + 1)))
    }
}

/// Milliseconds of the rate that may be used at once: a tenth of a minute's messages, at least one.
fn burst(cost: u64) -> u64 {
    (60_000 / cost / 10).max(1) * cost
}

/// The day (UTC) that `wall` lies on, counted from 1970.
pub(crate) fn day(wall: Wall) -> i64 {
    wall.0.div_euclid(DAY_MS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{name, now};

    fn provider(per_minute: Option<u32>, per_day: Option<u32>) -> Provider {
        let spec = ProviderSpec { name: name("smtp"), channel: name("mail"), per_minute, per_day };
        Provider::new(spec, (0, 0))
    }

    #[test]
    fn a_rate_allows_a_tenth_of_a_minute_at_once_and_then_one_at_a_time() {
        let mut smtp = provider(Some(60), None);
        assert_eq!(smtp.allowance(now(0)), 6);
        smtp.spend(now(0), 6);
        assert_eq!((smtp.allowance(now(0)), smtp.replenished(now(0))), (0, Some(Mono(1000))));
        assert_eq!((smtp.allowance(now(1)), smtp.replenished(now(1))), (1, None));
        smtp.spend(now(1), 1);
        assert_eq!((smtp.allowance(now(1)), smtp.allowance(now(3))), (0, 2));
        assert_eq!(smtp.allowance(now(3600)), 6, "unused time is not saved up");
    }

    #[test]
    fn a_slow_rate_still_sends_one() {
        let mut phone = provider(Some(2), None);
        assert_eq!(phone.allowance(now(0)), 1);
        phone.spend(now(0), 1);
        assert_eq!((phone.allowance(now(29)), phone.replenished(now(0))), (0, Some(Mono(30_000))));
        assert_eq!(phone.allowance(now(30)), 1);
    }

    #[test]
    fn no_rate_is_exceeded_in_any_minute() {
        for rate in [1, 7, 60, 100, 1000] {
            let mut smtp = provider(Some(rate), None);
            let mut sent = Vec::new();
            for second in 0..180u64 {
                let count = smtp.allowance(now(second));
                smtp.spend(now(second), count);
                sent.push(count);
            }
            let most = sent.windows(60).map(|minute| minute.iter().sum::<usize>()).max().unwrap_or(0);
            let rate = usize::try_from(rate).expect("small");
            assert!(most <= rate + (rate / 10).max(1), "{most} in a minute at {rate}");
            assert!(sent.iter().sum::<usize>() >= 3 * rate - 3, "{rate} is not used");
        }
    }

    #[test]
    fn a_quota_ends_at_midnight_utc() {
        let mut smtp = provider(None, Some(3));
        let (evening, morning) = (now(86_000), now(86_400));
        assert_eq!(smtp.allowance(evening), 3);
        smtp.spend(evening, 3);
        assert_eq!((smtp.allowance(evening), smtp.is_exhausted(evening)), (0, true));
        assert_eq!(smtp.replenished(evening), Some(morning.mono));
        assert_eq!((smtp.allowance(morning), smtp.sent_on(1)), (3, 0));
    }
}
