//! A member's identity: its key ([`svdr_cli::identity`]), and the files with which other programs act for it.

pub use svdr_cli::identity::{IdentityError, create, read};

pub mod client_folder;
