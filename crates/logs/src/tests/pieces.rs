//! Lines that kubelet and docker split, and whose pieces must never be read as lines.

use super::*;

#[test]
fn split_lines_are_put_together_before_they_are_read() {
    let (first, second) = (line("B", 1), line("B", 2));
    let (head, tail) = first.split_at(first.len() - 90);
    let (middle, end) = tail.split_at(50);
    // The phrase lies across two pieces, and lines of the other stream between them.
    let log = format!(
        "{CRI}stdout P {head}\n{CRI}stderr F {second}\n{CRI}stderr P {}\n{CRI}stdout P:x {middle}\n\n{CRI}stderr F \
         {}\n{CRI}stdout F {end}\n",
        &line("C", 3)[..40],
        &line("C", 3)[40..],
    );
    assert_eq!(ticks(&Scan::new().log(log)), ["B 01", "B 02", "C 03"]);
    for cut in 0..first.len() {
        let (head, tail) = first.split_at(cut);
        let log = format!("{CRI}stdout P {head}\n{CRI}stdout F {tail}");
        let paths = [Scan::new(), Scan::new()].map(|scan| (scan.file("a", &log), scan));
        for (path, mut scan) in paths {
            scan.effort.block_bytes = cut + 1;
            assert_eq!(ticks(&scan.run(&[path]).unwrap()), ["B 01"], "cut at {cut}");
        }
    }
}

#[test]
fn a_piece_that_looks_like_a_line_is_still_a_piece() {
    let padding = "u".repeat(300);
    let user = "2026-04-21 23:25:07,123 [t] INFO  c.d.c.p.a.PartyService - name: ";
    for filler in [0, 5000, 100_000] {
        let between = format!("{CRI}stderr F x\n").repeat(filler / 40);
        let log = format!(
            "{CRI}stdout F start\n{CRI}stdout P {user}{padding}\n{between}{CRI}stdout P {}\n{between}{CRI}stdout F {}\n{CRI}stdout \
             F {}\n",
            line("B", 1),
            line("B", 2),
            line("C", 3)
        );
        assert_eq!(ticks(&Scan::new().log(log)), ["C 03"], "{filler} bytes between");
    }
}

#[test]
fn a_piece_of_dockers_is_never_read_as_a_line() {
    let docker = |text: &str, stream: &str| {
        let object = serde_json::json!({"log": text, "stream": stream, "time": "2026-04-21T21:25:07.2Z"});
        format!("{{\"log\":{},\"stream\":{},\"time\":{}}}\n", object["log"], object["stream"], object["time"])
    };
    let user =
        format!("2026-04-21 23:25:07,123 [t] INFO  c.d.c.p.a.PartyService - name: {}", "u".repeat(16 * 1024));
    for between in [0, 1, 500, 5000] {
        let between = docker("x\n", "stderr").repeat(between);
        let log = [
            docker(&user, "stdout"),
            between.clone(),
            docker(&format!("{}\n", line("B", 1)), "stdout"),
            between.clone(),
            docker(&format!("{}\n", line("C", 2)), "stderr"),
            docker(&format!("{}\n", line("C", 3)), "stdout"),
        ];
        // Behind the distance, a line of the stream is a line of its own.
        let expected: &[&str] = match between.len() {
            ..200_000 => &["C 02", "C 03"],
            _ => &["B 01", "C 02", "C 03"],
        };
        for block_bytes in [100, 1000, 20_000, 1 << 20] {
            let mut scan = Scan::new();
            scan.effort.block_bytes = block_bytes;
            let plain = scan.run(&[scan.file("log", log.concat())]).unwrap();
            let packed = scan.run(&[scan.file("log", gzip(log.concat().as_bytes()))]).unwrap();
            assert_eq!(
                (ticks(&plain), ticks(&packed)),
                (expected.iter().map(|it| it.to_string()).collect(), ticks(&plain)),
                "{block_bytes}"
            );
        }
    }
}

#[test]
fn a_piece_whose_continuation_never_comes() {
    // Behind the distance, a line of the stream is a line of its own.
    let between = format!("{CRI}stderr F x\n").repeat(300_000 / 40);
    let log = format!("{CRI}stdout P {}\n{between}{CRI}stdout F {}\n", line("B", 1), line("C", 2));
    assert_eq!(ticks(&Scan::new().log(log)), ["B 01", "C 02"]);
    assert_eq!(ticks(&Scan::new().log(format!("{CRI}stdout P {}", line("B", 1)))), ["B 01"]);
}

#[test]
fn a_context_over_several_lines_belongs_to_its_record() {
    let context = |minute: u32| {
        format!(
            "{HEADER}ACS_COMMITMENT_MISMATCH(5,3f2a{minute:04}): The local commitment does not match err-context:{{local=Vector(),\n  \
             remote=AcsCommitment(\n    psid = global-domain::1220be58c29e::34-0,\n    sender = {},\n    period = \
             CommitmentPeriod(\n      fromExclusive = 2026-04-21T21:00:00Z,\n      toInclusive = 2026-04-21T21:{minute:02}:00Z\n    \
             )\n  )}}",
            short("C")
        )
    };
    let cut = context(3);
    let (cut, _) = cut.split_once("    period").unwrap();
    let log = [line("B", 1), context(2), line("B", 2), cut.to_owned() + &line("B", 3), context(4)].join("\n");
    for prefix in ["", "2026-04-21T23:25:07.123456789Z stdout F ", "[pod/a/b] "] {
        let log: String = log.lines().map(|line| format!("{prefix}{line}\n")).collect();
        let document = Scan::new().log(log);
        let mismatches: Vec<String> = document.mismatches.iter().map(|it| it.tick.to_string()).collect();
        assert_eq!(ticks(&document), ["B 01", "B 02", "B 03"], "{prefix}");
        assert_eq!(mismatches, ["2026-04-21T21:02:00Z", "2026-04-21T21:04:00Z"], "{prefix}");
        assert_eq!(
            (document.unattributed_mismatches, document.sources[0].unreadable_lines),
            (1, 0),
            "{prefix}"
        );
    }
}
