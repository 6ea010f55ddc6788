//! A member that does what its key lets it do and no honest agent would: the others are told its name, and finish.
//!
//! Members 1, 2 and 3 run their agents; member 4 has a genuine key and speaks gRPC.

mod equivocation;
mod evidence;
mod flood;
mod impostor;
mod newer;
mod stage;
