//! From the store to a coordinator: whatever that one lacks, with its receipts kept before anybody hears of them.
//!
//! What is submitted, and when, is for [`HandOn`](svdr_client::hand_on::HandOn) to say.
//!
//! What an agent signs in a session that goes well is submitted alone. At a new coordinator it is everything that all
//! have signed: that goes on one stream, so that a round trip around the world is paid once and not for each.

use std::collections::HashMap;

use svdr_client::hand_on::{self, Origin};
use svdr_client::{Connection, SubmitStream, Submitted};
use svdr_protocol::digest::Digest;
use svdr_protocol::dsse::Envelope;
use svdr_protocol::statement::SessionId;

use super::{BATCH, Board, Courier, Event, Left};
use crate::store::StoreError;

impl Courier {
    /// Submits whatever the store holds and the coordinator lacks: many statements on one stream, where the coordinator
    /// takes such a stream.
    pub(super) async fn submit(
        &mut self,
        connection: &mut Connection,
        board: &mut Board,
    ) -> Result<(), Left> {
        let may_hand_over = self.name(board).await?;
        let lacking = self.lacking(board, may_hand_over)?;
        if lacking.len() > 1 && board.takes_streams {
            match connection.submit_all(lacking.clone()).await {
                Ok(submitting) => return self.follow_up(submitting, board).await,
                Err(error) if error.is_passing() => return Ok(()),
                // An older coordinator, or one that has too many streams of this member.
                Err(error) if error.is_refusal() => board.takes_streams = false,
                Err(error) => return Err(error.into()),
            }
        }
        for statement in lacking {
            let submitted = match connection.submit(&statement).await {
                Ok(receipt) => Submitted::Accepted(Box::new(receipt)),
                // It has too much to do; what is left is tried again at the next look.
                Err(error) if error.is_passing() => return Ok(()),
                Err(error) if error.is_refusal() || error.is_unknown() => {
                    Submitted::Refused { statement: statement.digest(), error }
                }
                Err(error) => return Err(error.into()),
            };
            self.note(board, vec![submitted]).await?;
        }
        Ok(())
    }

    /// Notes which journal the coordinator has, once it has said so. Returns whether it may be handed what others signed.
    async fn name(&mut self, board: &mut Board) -> Result<bool, Left> {
        let Some(journal) = board.ledger.first().map(|first| first.receipt().journal) else {
            return Ok(false);
        };
        let url = board.ledger.coordinator().url.clone();
        let is_given = self.budgets.entry(url.clone()).or_default().allows(journal, self.since.elapsed());
        if !std::mem::replace(&mut board.is_named, true) {
            for statement in board.ledger.acknowledged_statements() {
                board.hand_on.was_given(statement);
            }
            if board.ledger.journals().count() > 1 {
                self.send(Event::NewJournal { url, journal, is_given }).await?;
            }
        }
        Ok(is_given)
    }

    /// Takes the answers on a stream to their end.
    async fn follow_up(&self, mut submitting: SubmitStream, board: &mut Board) -> Result<(), Left> {
        loop {
            match submitting.next(BATCH).await {
                Ok(submitted) if submitted.is_empty() => break,
                Ok(submitted) => self.note(board, submitted).await?,
                Err(error) if error.is_passing() => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// What came of statements: receipts are on disk before anybody hears of them.
    async fn note(&self, board: &mut Board, submitted: Vec<Submitted>) -> Result<(), Left> {
        let receipts = submitted.iter().filter_map(|one| match one {
            Submitted::Accepted(receipt) => Some(&**receipt),
            Submitted::Refused { .. } => None,
        });
        board.ledger.acknowledged(&self.store, receipts)?;
        for one in submitted {
            match one {
                Submitted::Accepted(receipt) => {
                    let digest = receipt.receipt().statement;
                    board.hand_on.has(digest);
                    self.send(Event::Acknowledged(digest)).await?;
                }
                // The opening may come later, with the session.
                Submitted::Refused { error, .. } if error.is_unknown() => {}
                Submitted::Refused { statement, error } => {
                    board.hand_on.refuses(statement);
                    self.send(Event::Refused { statement, error }).await?;
                }
            }
        }
        Ok(())
    }

    /// What the coordinator is handed now.
    fn lacking(&self, board: &mut Board, may_hand_over: bool) -> Result<Vec<Envelope>, StoreError> {
        let origin = |one: &Envelope, other| match SessionId::of_open(&one.digest()) == board.session {
            true => Origin::Opening,
            false => other,
        };
        let mut held = Vec::new();
        if !board.is_complete {
            let mirrored = self.store.mirrored(board.session)?;
            held.extend(mirrored.into_iter().map(|one| (origin(&one, Origin::Others), one)));
            board.is_complete = held.iter().all(|(_, one)| !board.hand_on.lacks(&one.digest()));
        }
        let signed = self.store.signed(board.session)?;
        held.extend(signed.into_iter().map(|one| (origin(&one, Origin::Own), one)));
        // If the system has no randomness, the full delay is as good.
        let delay = || hand_on::delay(getrandom::u32().unwrap_or(u32::MAX));
        let digests = held.iter().map(|(origin, one)| (one.digest(), *origin));
        let due = board.hand_on.due(digests, may_hand_over, self.since.elapsed(), delay);
        let mut held: HashMap<Digest, Envelope> =
            held.into_iter().map(|(_, one)| (one.digest(), one)).collect();
        Ok(due.into_iter().filter_map(|digest| held.remove(&digest)).collect())
    }
}
