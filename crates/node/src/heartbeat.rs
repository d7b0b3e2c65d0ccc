//! The daily heartbeat: when it is sent. What it says is the API's, that no day has two the core's.
//!
//! Looked at every few seconds rather than slept until, because clocks are set, machines sleep, and the directory
//! changes. A day that this node missed is made up for until midnight.

use api::Api;
use dispatch::directory::{Daily, Settings};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use ownership::Role;
use std::time::Duration;

/// How often the clock is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Sends the heartbeat of each day, for as long as the node runs.
pub(crate) async fn keep_beating(api: Api) {
    let (mut sent, mut told) = (None, None);
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let me = api.node.id;
        let known = api.calls.read(move |core, _| {
            let witness = core.members().get(&me).is_some_and(|member| member.role == Role::Witness);
            (!witness).then(|| core.edition().clone())
        });
        let Ok(Some(edition)) = known.await else { continue };
        let due = due(&edition.directory.settings, Timestamp::now());
        let Some(day) = due.filter(|day| sent.as_ref() != Some(day)) else { continue };
        match api::send_daily(&api, &day).await {
            Ok(_) => sent = Some(day),
            Err(error) => {
                if told.as_ref() != Some(&error) {
                    tracing::warn!(%error, "the daily heartbeat could not be sent; it is tried again");
                }
                told = Some(error);
            }
        }
    }
}

/// The day whose heartbeat is to have been sent at `now`, as `2026-03-01`; none if it is too early, or not its day.
fn due(settings: &Settings, now: Timestamp) -> Option<String> {
    let daily = settings.heartbeat.as_ref()?;
    let zone = TimeZone::get(&settings.time_zone).unwrap_or(TimeZone::UTC);
    let local = now.to_zoned(zone);
    is_over(daily, &local).then(|| local.date().to_string())
}

fn is_over(daily: &Daily, local: &Zoned) -> bool {
    let unsigned = |number: i8| u16::try_from(number).unwrap_or(0);
    let minute = unsigned(local.hour()) * 60 + unsigned(local.minute());
    let weekday = local.weekday().to_monday_zero_offset();
    daily.days & (1 << weekday) != 0 && minute >= daily.minute
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_due_from_its_time_on_until_midnight_by_the_clocks_of_the_zone() {
        let daily = |days| Daily { minute: 8 * 60, to: Vec::new(), days };
        let check = |days, at: &str, day: Option<&str>| {
            let heartbeat = Some(daily(days));
            let settings = Settings { time_zone: "Europe/Berlin".into(), heartbeat, ..Settings::default() };
            assert_eq!(due(&settings, at.parse().unwrap()).as_deref(), day, "{at}");
        };
        let (every, weekdays) = (0b111_1111, 0b001_1111);
        check(every, "2026-03-28T06:59:59Z", None);
        check(every, "2026-03-28T07:00:00Z", Some("2026-03-28"));
        check(every, "2026-03-28T22:59:59Z", Some("2026-03-28"));
        check(every, "2026-03-28T23:00:00Z", None);
        // The clocks were set forward: eight o'clock comes an hour sooner.
        check(every, "2026-03-29T06:00:00Z", Some("2026-03-29"));
        check(weekdays, "2026-03-29T12:00:00Z", None);
        check(weekdays, "2026-03-30T06:00:00Z", Some("2026-03-30"));
        assert_eq!(due(&Settings::default(), Timestamp::now()), None);
    }
}
