//! Name and version of this program.

/// Name and version, as statements and pages name them.
pub const SOFTWARE: &str = concat!("svdr-agent ", env!("CARGO_PKG_VERSION"));
