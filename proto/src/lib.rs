//! The wire of svdr: the messages of `svdr/v1/*.proto`, generated and committed.
//!
//! Meaning is given to them in `svdr-protocol`; here is nothing but their shape. `tests/generated.rs` compiles
//! the schema again and compares, so that the committed code cannot drift from it.

/// Version 1 of the schema, package `svdr.v1`.
#[allow(missing_docs, reason = "the documentation of generated code stands in the schema")]
pub mod v1 {
    include!("generated/svdr.v1.rs");
}
