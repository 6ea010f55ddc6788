//! No core dumps: a dump of a program's memory would put its signing key and its node identities on the disk, or into
//! whatever collects dumps.
//!
//! On Linux the process is made not dumpable, because a limit of 0 does not count where dumps are piped to a program.
//! That also keeps other processes of the same user from tracing it.

use rustix::process::{Resource, Rlimit, setrlimit};

/// Forbids core dumps of this process. A system that refuses is logged, and the program goes on.
pub fn forbid() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let mut forbidden = setrlimit(Resource::Core, none);
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        forbidden = forbidden.and(set_dumpable_behavior(DumpableBehavior::NotDumpable));
    }
    if let Err(error) = forbidden {
        tracing::debug!(%error, "core dumps cannot be forbidden");
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rustix::process::getrlimit;

    use super::*;

    #[test]
    fn a_process_that_forbids_them_leaves_none() {
        forbid();
        assert_eq!(getrlimit(Resource::Core).current, Some(0));
        #[cfg(target_os = "linux")]
        assert_eq!(
            rustix::process::dumpable_behavior().unwrap(),
            rustix::process::DumpableBehavior::NotDumpable
        );
    }
}
