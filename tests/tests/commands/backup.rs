//! `svdr-agent backup identities` against the SV app stand-in, with the real program, and what the other commands make
//! of the backup: in the clear, encrypted, and damaged.

mod bench;
mod faults;
mod killed;
mod made;
mod read;
mod used;
