//! The wire of svdr: the messages and the service of `svdr/v1/*.proto`, generated and committed.
//!
//! Here is only the shape of the messages; `svdr-protocol` gives them a meaning. `tests/tests/commands/generated.rs`
//! compiles the schema again and compares, so that the committed code cannot drift from it. The feature `grpc` adds the
//! service and what both of its ends need: who is let in, and how to connect.

#[cfg(feature = "grpc")]
pub mod accept;
#[cfg(feature = "grpc")]
pub mod channel;
#[cfg(feature = "grpc")]
pub mod limits;
#[cfg(feature = "grpc")]
pub mod tls;

/// Version 1 of the schema, package `svdr.v1`.
#[allow(missing_docs, clippy::all, reason = "the documentation of generated code stands in the schema")]
pub mod v1 {
    include!("generated/svdr.v1.rs");

    /// The schema as a serialized `FileDescriptorSet`, without comments: what reflection serves.
    pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("generated/svdr.v1.bin");
}
