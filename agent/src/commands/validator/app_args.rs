//! The flags that say how to reach the validator app, over what `agent.toml` says: those of the SV app by other
//! variables, and without a migration id, which is the certificate's.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::commands::args::sv_app::{AppArgs, Names, limit};

/// What the settings of the validator app are called.
pub(super) const VALIDATOR_APP: Names = Names {
    section: "validator_app",
    url_line: "url = \"https://wallet.validator.HOST/api/validator\"",
    token_line: "token_file = \"/run/secrets/validator-token\"",
    url_flag: "--url (SVDR_VALIDATOR_APP_URL)",
    token_url_flag: "--token-url (SVDR_VALIDATOR_APP_TOKEN_URL)",
    variables: [
        "SVDR_VALIDATOR_APP_URL",
        "SVDR_VALIDATOR_APP_TOKEN_FILE",
        "SVDR_VALIDATOR_APP_TOKEN_URL",
        "SVDR_VALIDATOR_APP_CLIENT_ID",
        "SVDR_VALIDATOR_APP_CLIENT_SECRET_FILE",
    ],
};

/// How to reach the validator app.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Validator app (instead of agent.toml)")]
pub struct ValidatorAppArgs {
    /// Base URL of the validator app's API, such as `https://wallet.validator.HOST/api/validator`
    #[arg(long, value_name = "URL", env = "SVDR_VALIDATOR_APP_URL", hide_env_values = true)]
    pub url: Option<String>,
    /// File with an administrator's token, read at each try
    #[arg(long, value_name = "FILE", env = "SVDR_VALIDATOR_APP_TOKEN_FILE", conflicts_with = "token_url")]
    pub token_file: Option<PathBuf>,
    /// PEM file of the CA that signs the app's certificate [default: the CAs of the machine]
    #[arg(long, value_name = "FILE", env = "SVDR_VALIDATOR_APP_CA_FILE")]
    pub ca_file: Option<PathBuf>,
    /// Send the certificate's migration id to the app, instead of only checking that it is the app's own + 1
    #[arg(long, env = "SVDR_REQUEST_MIGRATION_ID")]
    pub request_migration_id: bool,
    /// OAuth2 token endpoint
    #[arg(long, value_name = "URL", env = "SVDR_VALIDATOR_APP_TOKEN_URL", hide_env_values = true)]
    pub token_url: Option<String>,
    /// OAuth2 client
    #[arg(long, value_name = "ID", env = "SVDR_VALIDATOR_APP_CLIENT_ID")]
    pub client_id: Option<String>,
    /// File with the secret of the OAuth2 client
    #[arg(long, value_name = "FILE", env = "SVDR_VALIDATOR_APP_CLIENT_SECRET_FILE")]
    pub client_secret_file: Option<PathBuf>,
    /// OAuth2 audience
    #[arg(long, value_name = "TEXT", env = "SVDR_VALIDATOR_APP_AUDIENCE")]
    pub audience: Option<String>,
    /// OAuth2 scope
    #[arg(long, value_name = "TEXT", env = "SVDR_VALIDATOR_APP_SCOPE")]
    pub scope: Option<String>,
    /// PEM file of the CA that signs the OAuth2 server's certificate
    #[arg(long, value_name = "FILE", env = "SVDR_VALIDATOR_APP_TOKEN_CA_FILE")]
    pub token_ca_file: Option<PathBuf>,
    /// Limit for connecting [default: 10s]
    #[arg(long, value_name = "SPAN", env = "SVDR_VALIDATOR_APP_CONNECT_TIMEOUT", value_parser = limit)]
    pub connect_timeout: Option<Duration>,
    /// Limit from the request to the first byte [default: 10m]
    #[arg(long, value_name = "SPAN", env = "SVDR_VALIDATOR_APP_FIRST_BYTE_TIMEOUT", value_parser = limit)]
    pub first_byte_timeout: Option<Duration>,
    /// Limit for silence within the snapshot [default: 60s]
    #[arg(long, value_name = "SPAN", env = "SVDR_VALIDATOR_APP_IDLE_TIMEOUT", value_parser = limit)]
    pub idle_timeout: Option<Duration>,
}

impl ValidatorAppArgs {
    /// The same as flags of an SV app, which are resolved in the same way.
    pub(super) fn as_sv_app(&self) -> AppArgs {
        AppArgs {
            url: self.url.clone(),
            token_file: self.token_file.clone(),
            ca_file: self.ca_file.clone(),
            token_url: self.token_url.clone(),
            client_id: self.client_id.clone(),
            client_secret_file: self.client_secret_file.clone(),
            audience: self.audience.clone(),
            scope: self.scope.clone(),
            token_ca_file: self.token_ca_file.clone(),
            connect_timeout: self.connect_timeout,
            first_byte_timeout: self.first_byte_timeout,
            idle_timeout: self.idle_timeout,
        }
    }
}
