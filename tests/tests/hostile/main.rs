//! Coordinators and members that do what no honest program does, as the agents meet them.

#![allow(clippy::unwrap_used)]

mod coordinator;
mod member;
