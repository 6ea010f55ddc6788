//! Where a dump comes from: the SV app over HTTP, the app's dump volume, or another SV.

pub mod app;
pub mod donor;
pub mod fetch;
pub mod volume;
