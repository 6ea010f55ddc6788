//! Where a dump comes from: the SV app over HTTP, the app's dump volume, or another SV.
//!
//! `app` is the client of an SV app or a validator app, `volume` reads what an SV app has written into its dump volume.
//! `fetch` makes a dump with the two: it decides which of them gives it, and when to retry. `donor` receives another
//! SV's snapshot. `tries` says what happens between two tries.

pub mod app;
pub mod cancel;
pub mod donor;
pub mod fetch;
pub(crate) mod tries;
pub mod volume;
