//! The flags of a donor, over what `agent.toml` says under `[donor]`.

use std::net::SocketAddr;

use clap::Args;

use crate::config::donor::{self, DEFAULT_LISTEN, DonorTextError};
use crate::config::{AgentConfig, Missing};

/// The snapshot to donate, and the endpoint.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Donor (instead of agent.toml)")]
pub struct DonorArgs {
    /// The full id of the DSO party
    #[arg(long, value_name = "PARTY", env = "SVDR_DSO_PARTY", value_parser = donor::party)]
    pub dso_party: Option<String>,
    /// Address to listen on [default: 0.0.0.0:7444]
    #[arg(long, value_name = "ADDR", env = "SVDR_DONOR_LISTEN", value_parser = donor::address)]
    pub donor_listen: Option<SocketAddr>,
    /// Signed address for the receivers, `https://HOST:PORT`; without it, pass the file on by other means
    #[arg(long, value_name = "URL", env = "SVDR_DONOR_URL", hide_env_values = true)]
    pub donor_url: Option<String>,
}

/// What flags and file say together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DonorSettings {
    /// The DSO party.
    pub dso_party: String,
    /// Where the endpoint listens.
    pub listen: SocketAddr,
    /// Where others dial it.
    pub url: Option<String>,
}

impl DonorArgs {
    /// Puts flags and file together. What is nowhere is added to `missing`; then there is no result.
    ///
    /// # Errors
    /// Where the URL is none. It is read here and not in clap, whose own message would repeat a password in it.
    pub fn resolve(
        &self,
        config: &AgentConfig,
        missing: &mut Vec<Missing>,
    ) -> Result<Option<DonorSettings>, DonorTextError> {
        let section = &config.donor;
        let listen = match self.donor_listen.or(section.listen) {
            Some(listen) => listen,
            None => donor::address(DEFAULT_LISTEN)?,
        };
        let Some(dso_party) = self.dso_party.clone().or_else(|| section.dso_party.clone()) else {
            missing.push(Missing {
                section: "donor",
                line: "dso_party = \"DSO::1220…\"",
                flag: "--dso-party",
                variable: "SVDR_DSO_PARTY",
                file: config.file.clone(),
            });
            return Ok(None);
        };
        let given = self.donor_url.as_deref().map(donor::url).transpose()?;
        let url = given.or_else(|| section.url.clone());
        Ok(Some(DonorSettings { dso_party, listen, url }))
    }
}
