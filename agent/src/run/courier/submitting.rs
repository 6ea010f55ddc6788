//! From the store to a coordinator: whatever that one lacks, with its receipts kept before anybody hears of them.
//!
//! What an agent signs in a session that goes well is submitted alone. At a new coordinator it is everything that all
//! have signed: that goes on one stream, so that a round trip around the world is paid once and not for each.

use svdr_client::{Connection, SubmitStream, Submitted};
use svdr_protocol::dsse::Envelope;
use svdr_protocol::statement::SessionId;

use super::{BATCH, Board, Courier, Event, Left};
use crate::store::StoreError;

impl Courier {
    /// Submits whatever the store holds and the coordinator lacks: many statements on one stream, where the coordinator
    /// takes such a stream.
    pub(super) async fn submit(&self, connection: &mut Connection, board: &mut Board) -> Result<(), Left> {
        let lacking = self.lacking(board)?;
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
                Err(error) if error.is_refusal() => {
                    Submitted::Refused { statement: statement.digest(), error }
                }
                Err(error) => return Err(error.into()),
            };
            self.note(board, vec![submitted]).await?;
        }
        board.is_complete = true;
        Ok(())
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
        board.is_complete = true;
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
                    board.has.insert(digest);
                    self.send(Event::Acknowledged(digest)).await?;
                }
                Submitted::Refused { statement, error } => {
                    board.refuses.insert(statement);
                    self.send(Event::Refused { statement, error }).await?;
                }
            }
        }
        Ok(())
    }

    /// The opening first, then what others signed, in the order in which another coordinator had it, then what this
    /// member signed.
    fn lacking(&self, board: &Board) -> Result<Vec<Envelope>, StoreError> {
        let mut held = if board.is_complete { Vec::new() } else { self.store.mirrored(board.session)? };
        held.extend(self.store.signed(board.session)?);
        held.retain(|one| {
            let digest = one.digest();
            !board.has.contains(&digest) && !board.refuses.contains(&digest)
        });
        held.sort_by_key(|one| SessionId::of_open(&one.digest()) != board.session);
        Ok(held)
    }
}
