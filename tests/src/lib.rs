//! .
pub mod sv_app;
