//! `svdr-agent validator` with the real programs: which certificates a validator follows, what it makes of what its app
//! answers, and what it says and leaves behind when something goes wrong.

mod bench;
mod certificates;
mod deliver;
mod faults;
mod killed;
mod online;
mod operator;
mod published;
mod sound;
