//! The wire form of evidence.

use svdr_proto::v1;

use super::fields::Fields;
use super::{Content, StatementError};
use crate::evidence::{self, Evidence, EvidenceError, LogSpan, MAX_TICKS, Observations, TickRun, Ticks};
use crate::names::MemberName;

impl Content for Evidence {
    type Message = v1::Evidence;

    fn to_message(&self, header: v1::Header) -> v1::Evidence {
        let runs = |ticks: &Ticks| {
            let encode = |&TickRun { first, step, count }: &TickRun| v1::TickRun { first, step, count };
            ticks.runs().iter().map(encode).collect()
        };
        v1::Evidence {
            header: Some(header),
            participant: self.participant.to_string(),
            synchronizers: self.synchronizers.iter().cloned().collect(),
            log_span: self
                .log_span
                .map(|span| v1::LogSpan { first: span.first.micros(), last: span.last.micros() }),
            observations: self
                .about
                .iter()
                .map(|(counterparty, about)| v1::Observations {
                    counterparty: counterparty.to_string(),
                    matches: runs(&about.matches),
                    mismatches: runs(&about.mismatches),
                })
                .collect(),
            unattributed_mismatches: self.unattributed_mismatches,
        }
    }

    fn take_header(message: &mut v1::Evidence) -> Option<v1::Header> {
        message.header.take()
    }

    fn from_message(message: v1::Evidence, fields: &Fields<'_>) -> Result<Evidence, StatementError> {
        let signer = fields.signer();
        let log_span = match message.log_span {
            Some(span) => Some(LogSpan {
                first: fields.time("log_span.first", span.first)?,
                last: fields.time("log_span.last", span.last)?,
            }),
            None => None,
        };
        let mut evidence = Evidence {
            member: signer.clone(),
            participant: fields.parsed("participant", &message.participant)?,
            synchronizers: message.synchronizers.into_iter().take(evidence::MAX_SYNCHRONIZERS + 1).collect(),
            log_span,
            about: Default::default(),
            unattributed_mismatches: message.unattributed_mismatches,
        };
        let mut left = MAX_TICKS;
        for observations in message.observations {
            let counterparty: MemberName =
                fields.parsed("observations.counterparty", &observations.counterparty)?;
            let mut ticks = |runs: Vec<v1::TickRun>| {
                let decode = |v1::TickRun { first, step, count }| TickRun { first, step, count };
                let ticks = Ticks::from_runs(runs.into_iter().map(decode), left).map_err(|source| {
                    let counterparty = counterparty.clone();
                    StatementError::Runs { signer: signer.clone(), counterparty, source }
                })?;
                left -= ticks.len();
                Ok::<Ticks, StatementError>(ticks)
            };
            let about = Observations {
                matches: ticks(observations.matches)?,
                mismatches: ticks(observations.mismatches)?,
            };
            if evidence.about.insert(counterparty.clone(), about).is_some() {
                return Err(EvidenceError::TwiceAbout { member: signer.clone(), counterparty }.into());
            }
        }
        Ok(evidence)
    }
}
