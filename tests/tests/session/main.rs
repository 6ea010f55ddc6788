//! Sessions of several agents with the real programs: straight on, through rounds and crashes, to the restored network.

#![allow(clippy::unwrap_used)]

mod crash;
mod damage;
mod donor;
mod forgetful;
mod restored;
mod rounds;
mod straight;
