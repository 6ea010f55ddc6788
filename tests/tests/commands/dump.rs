//! `svdr-agent dump` against the SV app stand-in, with the real program: what it makes, and what it says and leaves
//! behind when something between it and the app goes wrong.

mod bench;
mod connection;
mod faults;
mod killed;
mod sound;
mod token;
