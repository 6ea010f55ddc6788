//! What must be reachable: the coordinators and the SV app.

use std::time::Duration;

use ed25519_dalek::SigningKey;
use svdr_client::{Coordinator, Coordinators};

use super::{Finding, explained};
use crate::sources::app::{AppSettings, SvApp};

/// The time limit for a coordinator's answer.
const ANSWER: Duration = Duration::from_secs(20);

/// Each coordinator, reached as this member.
pub(super) async fn coordinators(configured: &[Coordinator], key: Option<&SigningKey>) -> Vec<Finding> {
    const NAME: &str = "coordinator";
    let Some(key) = key else {
        return vec![Finding::failed(NAME, "skipped: fix the signing key first")];
    };
    let coordinators = match Coordinators::new(configured.to_vec(), key) {
        Ok(coordinators) => coordinators,
        Err(error) => return vec![Finding::failed(NAME, explained(&error))],
    };
    let mut findings = Vec::new();
    for coordinator in coordinators.configured() {
        let url = &coordinator.url;
        let asked = tokio::time::timeout(ANSWER, async {
            let mut connection =
                coordinators.connect_to(coordinator).await.map_err(|error| explained(&error))?;
            connection.sessions().await.map_err(|error| explained(&error))
        });
        findings.push(match asked.await {
            Ok(Ok(sessions)) => Finding::passed(
                NAME,
                format!("{url} knows this member; open or ended sessions there: {}", sessions.len()),
            ),
            Ok(Err(text)) => Finding::failed(NAME, format!("{url}: {text}")),
            Err(_elapsed) => Finding::failed(
                NAME,
                format!(
                    "{url} did not answer within {} s: check the network and the firewall",
                    ANSWER.as_secs()
                ),
            ),
        });
    }
    findings
}

/// The SV app, and whether the token is an administrator's.
pub(super) async fn sv_app(settings: &Result<AppSettings, String>) -> Finding {
    const NAME: &str = "SV app";
    let settings = match settings {
        Ok(settings) => settings.clone(),
        Err(text) => return Finding::failed(NAME, text.clone()),
    };
    let url = settings.url.clone();
    let app = match SvApp::new(settings).await {
        Ok(app) => app,
        Err(error) => return Finding::failed(NAME, explained(&error)),
    };
    match app.check_authorization().await {
        Ok(()) => Finding::passed(NAME, format!("{url} answers, and the token is an administrator's")),
        Err(error) => Finding::failed(NAME, explained(&error)),
    }
}

/// Whether the SV app can write its dump into its volume. It is not made to.
pub(super) async fn migration_dump(settings: &Result<AppSettings, String>) -> Finding {
    const NAME: &str = "migration-dump call";
    let Ok(settings) = settings.clone() else {
        return Finding::failed(NAME, "skipped: fix the SV app's settings first");
    };
    let url = settings.url.clone();
    let app = match SvApp::new(settings).await {
        Ok(app) => app,
        Err(error) => return Finding::failed(NAME, explained(&error)),
    };
    match app.knows_migration_dump().await {
        Ok(true) => Finding::passed(NAME, format!("{url} has it")),
        Ok(false) => Finding::failed(
            NAME,
            format!(
                "{url} does not have it, because the release of the SV app is older: set mode = \"http\" under [sv_app]"
            ),
        ),
        Err(error) => Finding::failed(NAME, explained(&error)),
    }
}
