//! A member that does what its key lets it do and no honest agent would: the others are told its name, and finish.
//!
//! Members 1, 2 and 3 run their agents; member 4 has a genuine key and speaks gRPC.

#![allow(clippy::unwrap_used, missing_docs)]

mod session_support;

#[path = "hostile_member/equivocation.rs"]
mod equivocation;
#[path = "hostile_member/evidence.rs"]
mod evidence;
#[path = "hostile_member/flood.rs"]
mod flood;
#[path = "hostile_member/member.rs"]
mod member;
