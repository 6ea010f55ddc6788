//! A member's identity: its key ([`svdr_cli::identity`]), and the certificate that shows it.

pub use svdr_cli::identity::{IdentityError, create, read};

pub mod certificate;
