//! Scans of a part of a log that spans days.

use super::*;

/// A log of `hours` with a commitment a minute, in a zone, `bytes` of other lines a minute.
pub(super) fn long_log(hours: u32, zone_hours: i64, bytes: usize, name: &str) -> String {
    let start: Timestamp = "2026-04-20T00:00:00Z".parse().unwrap();
    let mut log = String::new();
    for minute in 1..=i64::from(hours) * 60 {
        let at = |micros: i64| Timestamp::from_micros(start.micros() + micros).unwrap();
        let (from, to) = (at((minute - 1) * 60_000_000), at(minute * 60_000_000));
        let local = at(minute * 60_000_000 + 3_500_000 + zone_hours * 3_600_000_000).to_string();
        let date = local.trim_end_matches('Z').replace('T', " ").replace('.', ",");
        let header = HEADER.replace("2026-04-21 23:25:07,123", &date);
        log.push_str(&format!(
            "{header}Commitment correct for sender {} and period CommitmentPeriod(fromExclusive = {from}, toInclusive = {to})\n",
            short(name)
        ));
        for _ in 0..bytes / 100 {
            log.push_str(&format!("{date} [t] INFO  c.d.c.Other - {}\n", "z".repeat(50)));
        }
    }
    log
}

#[test]
fn a_window_is_found_without_reading_the_file() {
    for zone in [0, 2, -5, 14] {
        let log = long_log(48, zone, 20_000, "B");
        let mut scan = Scan::new();
        let path = [scan.file("participant.log", &log)];
        let whole = scan.run(&path).unwrap();
        for since in
            [Bound::Back(Duration::from_secs(2 * 3600)), Bound::At("2026-04-21T22:00:00Z".parse().unwrap())]
        {
            scan.since = Some(since);
            let window = scan.run(&path).unwrap();
            let newest: Vec<Tick> = whole.matches[0].ticks.iter().rev().take(121).rev().copied().collect();
            assert_eq!(window.matches[0].ticks, newest, "{since:?} in zone {zone}");
            assert!(
                window.sources[0].bytes * 5 < log.len() as u64,
                "read {} of {} bytes",
                window.sources[0].bytes,
                log.len()
            );
        }
        scan.since = Some(Bound::Back(Duration::from_secs(1000 * 3600)));
        assert_eq!(scan.run(&path).unwrap().matches, whole.matches);
    }
}

#[test]
fn a_late_participant_does_not_mislead_the_window() {
    // The newest comparisons lag five hours behind, which looks like a zone farther east.
    let early = long_log(40, 0, 20_000, "B");
    let late = long_log(41, 5, 20_000, "B");
    let (_, late) = late.split_at(late.find("toInclusive = 2026-04-21T16:01:00Z").unwrap());
    let (_, late) = late.split_at(late.find('\n').unwrap() + 1);
    let log = early + late;
    let mut scan = Scan::new();
    let path = [scan.file("participant.log", &log)];
    let whole = scan.run(&path).unwrap();
    scan.since = Some(Bound::Back(Duration::from_secs(3 * 3600)));
    let window = scan.run(&path).unwrap();
    let since: Timestamp = "2026-04-21T14:00:00Z".parse().unwrap();
    let newest: Vec<Tick> = whole.matches[0].ticks.iter().filter(|tick| tick.0 >= since).copied().collect();
    assert_eq!(window.matches[0].ticks, newest);
}
