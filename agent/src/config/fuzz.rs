//! The body of a fuzz target: any bytes as an `agent.toml`.

use std::path::Path;

use super::AgentConfig;

/// Reads `bytes` as a configuration: refused with its mistakes, or one that a comment does not change.
///
/// # Panics
/// Where a law is broken.
pub fn any_text(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let folder = Path::new("/etc/svdr");
    match AgentConfig::parse(text, folder) {
        Ok(config) => {
            let commented = AgentConfig::parse(&format!("{text}\n# a comment\n"), folder);
            assert_eq!(commented.as_ref(), Ok(&config));
        }
        Err(mistakes) => {
            assert!(!mistakes.is_empty());
            assert!(mistakes.iter().all(|mistake| !mistake.to_string().is_empty()));
        }
    }
}
