//! The flags that say how to reach the participant's admin API.

use std::path::PathBuf;

use clap::Args;
use svdr_canton::{ClientCertificate, NodeSettings, NodeUrl};

/// The participant's admin API.
#[derive(Clone, Debug, Default, Args)]
pub struct ParticipantArgs {
    /// The participant's admin API, such as http://participant:5002, to read its stored comparisons
    #[arg(long, value_name = "URL")]
    pub participant: Option<NodeUrl>,
    /// The CA that signs the participant's certificate, PEM [default: the CAs of this machine]
    #[arg(long, value_name = "FILE", requires = "participant")]
    pub participant_ca_file: Option<PathBuf>,
    /// The certificate to show to the participant, PEM
    #[arg(long, value_name = "FILE", requires = "participant", requires = "participant_key")]
    pub participant_certificate: Option<PathBuf>,
    /// The private key of that certificate, PEM
    #[arg(long, value_name = "FILE", requires = "participant_certificate")]
    pub participant_key: Option<PathBuf>,
    /// A file with the bearer token for the participant
    #[arg(long, value_name = "FILE", requires = "participant")]
    pub participant_token_file: Option<PathBuf>,
}

impl ParticipantArgs {
    /// How to reach the participant, if a flag names it.
    pub fn settings(&self) -> Option<NodeSettings> {
        let client = self.participant_certificate.clone().zip(self.participant_key.clone());
        Some(NodeSettings {
            url: self.participant.clone()?,
            ca_file: self.participant_ca_file.clone(),
            client: client.map(|(certificate, key)| ClientCertificate { certificate, key }),
            token_file: self.participant_token_file.clone(),
        })
    }
}
