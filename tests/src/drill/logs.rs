//! The participants' logs: those of the lost synchronizer, which the evidence is read from, and those of the new one,
//! which the confirmations are read from.
//!
//! The new logs are written ahead: they begin an hour after the old ones end, as after a recovery that took an hour.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::PathBuf;

use super::command::heading;
use super::network::{Network, Sv, failed};
use super::story::{INTERVAL, TICKS};
use super::{DrillError, Options};
use crate::log_writer::traffic::{Outcome, Traffic};
use crate::log_writer::{LogWriter, Style};
use crate::members::SYNCHRONIZER;

/// What a line of a log takes on average, in bytes; only to reach about the size asked for.
const LINE: usize = 260;
/// The folder of an SV's logs of the lost synchronizer.
pub(super) const OLD: &str = "logs";
/// The folder of an SV's logs of the new synchronizer.
pub(super) const NEW: &str = "new-logs";
/// Ticks in the new logs.
const NEW_TICKS: i64 = 5;

/// One log to be written.
struct Log<'a> {
    /// The folder, in the SV's own.
    folder: &'a str,
    /// Where it begins, in microseconds since the Unix epoch.
    start: i64,
    ticks: i64,
    /// Its size, about; smaller than its commitments it cannot be.
    bytes: usize,
    /// What becomes of the commitment of the SV at a place, at a tick in microseconds.
    outcome: &'a dyn Fn(usize, i64) -> Outcome,
}

impl Network {
    /// Writes every SV's logs of the lost synchronizer, in the form that it keeps them; those of a vouched one are lost.
    pub(super) fn write_logs(&self, options: &Options) -> Result<(), DrillError> {
        heading("The logs of the SVs' participants");
        for (own, sv) in self.svs.iter().enumerate() {
            if self.story.vouched() == Some(own) {
                say!("    {}  lost", sv.member.name);
                continue;
            }
            let log = Log {
                folder: OLD,
                start: self.story.start(),
                ticks: TICKS,
                bytes: options.log_megabytes as usize * 1_000_000,
                outcome: &|other, tick| self.story.outcome(own, other, tick),
            };
            self.write_log(own, sv, &log)?;
        }
        Ok(())
    }

    /// Writes the logs of the new synchronizer, of the SV at `own`: it agrees with those at `restored`, and nobody else
    /// has come so far.
    pub(super) fn write_new_log(&self, own: usize, restored: &[usize]) -> Result<(), DrillError> {
        let outcome = |other, _tick| match restored.contains(&other) {
            true => Outcome::Match,
            false => Outcome::Silence,
        };
        let start = self.story.restored();
        let log = Log { folder: NEW, start, ticks: NEW_TICKS, bytes: 0, outcome: &outcome };
        self.write_log(own, self.sv(own)?, &log)
    }

    fn write_log(&self, own: usize, sv: &Sv, log: &Log<'_>) -> Result<(), DrillError> {
        let name = if sv.gzip { "participant.log.gz" } else { "participant.log" };
        let inside = PathBuf::from(&sv.member.name).join(log.folder).join(name);
        let path = self.folder.join(&inside);
        let others: Vec<usize> = (0..self.svs.len()).filter(|&other| other != own).collect();
        let senders = others.iter().filter_map(|&other| self.svs.get(other)).map(|sv| &sv.member);
        let senders: Vec<String> =
            senders.chain(&self.validators).map(|member| member.participant.clone()).collect();
        let ticks = log.ticks.unsigned_abs() as usize;
        let commitment_lines = 2 * senders.len() * ticks;
        let traffic = Traffic {
            seed: self.seed.wrapping_add(own as u64),
            own: sv.member.participant.clone(),
            synchronizer: SYNCHRONIZER.to_owned(),
            senders,
            start: log.start,
            interval_seconds: INTERVAL,
            ticks,
            chatter: (log.bytes / LINE / commitment_lines).saturating_sub(1),
        };
        let writing = failed(&path, "writing the log");
        let write = |out: &mut dyn io::Write| {
            let mut writer = LogWriter::new(out, Style::new(sv.format));
            traffic.entries(
                |sender, tick| match others.get(sender) {
                    Some(&other) => (log.outcome)(other, tick),
                    None => Outcome::Match,
                },
                |entry| writer.write(entry),
            )?;
            writer.finish().map(|_| ())
        };
        let file = BufWriter::new(File::create(&path).map_err(&writing)?);
        let written = if sv.gzip {
            let mut out = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
            write(&mut out).and_then(|()| out.finish()).and_then(|file| file.into_inner().map_err(Into::into))
        } else {
            let mut out = file;
            write(&mut out).and_then(|()| out.into_inner().map_err(Into::into))
        };
        let size = written.and_then(|file| file.metadata()).map_err(&writing)?.len();
        say!("    {}  {:.1} MB", inside.display(), size as f64 / 1e6);
        Ok(())
    }
}
