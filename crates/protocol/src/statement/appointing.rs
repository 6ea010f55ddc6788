//! The appointment that a proposal carries: what lets a coordinator propose that the opening does not list.
//!
//! A proposal carries it, so that whether the proposal is valid does not depend on what arrived before.

use super::{Body, Header, Statement, StatementError};
use crate::dsse::Envelope;
use crate::keys::PublicKey;
use crate::roster::Roster;

/// Why an appointment does not let the signer of a proposal propose.
#[derive(Debug, thiserror::Error)]
pub enum AppointmentError {
    /// It is not a valid statement.
    #[error("the appointment is invalid")]
    Statement(#[source] StatementError),
    /// It is a statement of another kind.
    #[error("the statement in its place is of kind {kind}; expected appointment")]
    Kind {
        /// The kind.
        kind: &'static str,
    },
    /// It appoints another key.
    #[error("the appointment is of the key {appointed}, but {signed} signed the proposal")]
    OtherKey {
        /// The key appointed.
        appointed: PublicKey,
        /// The proposal's.
        signed: PublicKey,
    },
    /// It is of another session, or of a drill.
    #[error("the appointment belongs to another session")]
    OtherSession,
}

/// Checks the appointment that a proposal carries, with the proposal's header and key.
pub(super) fn check(
    carried: &Envelope,
    header: &Header,
    signed: PublicKey,
    roster: &Roster,
) -> Result<(), StatementError> {
    let failed =
        |source| StatementError::Appointment { signer: header.signer.clone(), source: Box::new(source) };
    // An appointment carries nothing, so this goes one level deep.
    let statement = Statement::read_shallow(carried, roster)
        .map_err(|source| failed(AppointmentError::Statement(source)))?;
    let Body::Appointment(appointment) = &statement.body else {
        return Err(failed(AppointmentError::Kind { kind: statement.body.kind() }));
    };
    let appointed = appointment.coordinator;
    if appointed != signed {
        return Err(failed(AppointmentError::OtherKey { appointed, signed }));
    }
    if (statement.header.session, statement.header.drill) != (header.session, header.drill) {
        return Err(failed(AppointmentError::OtherSession));
    }
    Ok(())
}
