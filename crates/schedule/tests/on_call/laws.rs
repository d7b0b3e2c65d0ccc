//! What holds for every schedule, whatever is in it.

use jiff::tz;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::{Strategy, any, proptest};
use proptest::test_runner::Config;
use proptest::{prop_assert, prop_assert_eq};
use schedule::{Calendar, Schedule, Shift, Timeline as _, form};

use crate::arbitrary;

/// A schedule, and an instant that it may have something to say about.
fn case() -> impl Strategy<Value = (Schedule, Timestamp)> {
    (arbitrary::schedule(), -30_i64 * 86_400..600 * 86_400).prop_map(|((day, form), offset)| {
        (
            form.read(tz::db()).expect("it is allowed"),
            arbitrary::start(day) + SignedDuration::from_secs(offset),
        )
    })
}

proptest! {
    #![proptest_config(Config { cases: 300, failure_persistence: None, ..Config::default() })]

    #[test]
    fn shifts_tile_the_time_and_agree_with_on_call(case in case(), days in 1_i64..40, part in 0.0_f64..1.0) {
        let (schedule, from) = case;
        let to = from + SignedDuration::from_hours(days * 24);
        let shifts: Vec<Shift> = schedule.shifts(from, to).collect();
        prop_assert_eq!(shifts[0].from, from);
        prop_assert_eq!(shifts[shifts.len() - 1].to, to);
        for pair in shifts.windows(2) {
            prop_assert_eq!(pair[0].to, pair[1].from);
            prop_assert!((&pair[0].who, &pair[0].because) != (&pair[1].who, &pair[1].because));
        }
        for shift in shifts.iter().take(50) {
            prop_assert!(shift.from < shift.to);
            let inside = shift.from + (shift.to.duration_since(shift.from)).mul_f64(part);
            let on_call = schedule.on_call(inside.min(shift.to - SignedDuration::from_nanos(1)));
            prop_assert_eq!(&on_call.who, &shift.who);
            prop_assert_eq!(&on_call.because, &shift.because);
            if shift.to < to {
                prop_assert_eq!(on_call.until, Some(shift.to));
            }
        }
    }

    #[test]
    fn the_next_hand_over_is_later_and_the_first_at_which_others_are_on_call(case in case()) {
        let (schedule, now) = case;
        let who = schedule.on_call(now).who;
        if let Some(next) = schedule.next_hand_over(now) {
            prop_assert!(now < next);
            prop_assert!(schedule.on_call(next).who != who);
            prop_assert!(schedule.shifts(now, next).all(|shift| shift.who == who));
        }
    }

    #[test]
    fn a_shift_began_where_the_one_before_it_ended(case in case()) {
        let (schedule, now) = case;
        let on_call = schedule.on_call(now);
        if let Some(began) = schedule.began(now) {
            prop_assert!(began <= now);
            let first = schedule.on_call(began);
            prop_assert_eq!((&first.who, &first.because), (&on_call.who, &on_call.because));
            let before = schedule.on_call(began - SignedDuration::from_nanos(1));
            prop_assert!((&before.who, &before.because) != (&on_call.who, &on_call.because));
            prop_assert_eq!(before.until, Some(began));
        }
    }

    #[test]
    fn a_form_survives_being_written(case in arbitrary::schedule()) {
        let (_, form) = case;
        let json = serde_json::to_string(&form).unwrap();
        prop_assert_eq!(&serde_json::from_str::<form::Schedule>(&json).unwrap(), &form);
        let text = toml::to_string(&form).unwrap();
        prop_assert_eq!(&toml::from_str::<form::Schedule>(&text).unwrap(), &form);
    }

    #[test]
    fn a_calendar_changes_when_it_says(case in arbitrary::schedule(), offset in 0_i64..400 * 86_400, yearly in any::<bool>()) {
        let (day, form) = case;
        let windows = form.layers.into_iter().flat_map(|layer| layer.windows).collect();
        let first = day.to_string();
        let dates = vec![form::Dates { first, last: None, yearly }];
        let calendar = form::Calendar { zone: form.zone, windows, dates, except: Vec::new() };
        let calendar: Calendar = calendar.read(tz::db()).unwrap();
        let now = arbitrary::start(day) + SignedDuration::from_secs(offset);
        if let Some(next) = calendar.next_change(now) {
            prop_assert!(now < next);
            prop_assert!(calendar.contains(next) != calendar.contains(now));
            prop_assert_eq!(calendar.contains(next - SignedDuration::from_nanos(1)), calendar.contains(now));
            prop_assert_eq!(calendar.next_change(next - SignedDuration::from_nanos(1)), Some(next));
        }
    }
}
