//! `donate`: takes the DSO party's snapshot from the SV app, signs what it is, and hands it out.
//!
//! 1. Look at the session: only a covered member that has agreed to the certified round donates.
//! 2. Take the snapshot, as the SV app sends it; or take the one of an earlier run, if it is what it was.
//! 3. Write down where it is, flushed.
//! 4. Show what is signed, ask, sign, flush, submit, as [`decide`] does.
//! 5. Serve, until stopped. Stopped anywhere, in any way, the next run goes on there and signs nothing new.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use svdr_cli::confirm::Beforehand;
use svdr_cli::failure::Failure;
use svdr_cli::output::Output;
use svdr_cli::runtime;
use svdr_cli::screens::shown_round;
use svdr_files::Replace;
use svdr_protocol::digest::Digest;
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::span;
use svdr_protocol::statement::{Body, Donation, Plan, SessionId, Verified};
use svdr_protocol::vote::Decision;
use tokio::net::TcpListener;

use super::args::donor::{DonorArgs, DonorSettings};
use super::args::sv_app::{self, AppArgs};
use crate::config::ConfigError;
use crate::donate::{self, DonorServerError, Offer};
use crate::operator::decide::{self, DecideError, Wish, any};
use crate::operator::online::{Online, OnlineArgs, Seen};
use crate::sources::app;
use crate::sources::fetch::{self, Request, RequestContent};
use crate::store::DonationRecord;
use svdr_cli::screens::operator::signing;
use svdr_client::retry::RetryPolicy;
use svdr_dump::Parts;

/// Threads that run the network: with one, what is sent is never handed from processor to processor, and the others are
/// left to this node's own recovery. Reading the disk has threads of its own.
const NETWORK_THREADS: usize = 1;

/// Arguments of `donate`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    svdr-agent donate 4f3a\n  \
    svdr-agent donate 4f3a --donor-url https://sv-1.example.com:7444\n  \
    svdr-agent donate 4f3a --no-serve --out snapshot.json\n\n\
    Reads [donor] and [sv_app] of agent.toml. Only a member that the agreed round covers can donate. The snapshot is of \
    the DSO party alone: node identities never leave this node. You can stop the command at any time. The next run uses \
    the same file and the same statement. Exit code 3 if the voting rules refuse, or if the file has changed.")]
pub struct DonateArgs {
    /// The session's id, or at least its first 4 digits
    #[arg(value_name = "SESSION")]
    pub session: String,
    /// The file to keep the snapshot in [default: in output.dir]
    #[arg(long, value_name = "FILE", env = "SVDR_DONATE_OUT")]
    pub out: Option<PathBuf>,
    /// Sign and stop, to pass the file on by other means
    #[arg(long)]
    pub no_serve: bool,
    /// Take and sign another snapshot, if the file of an earlier donation is lost or corrupt
    #[arg(long)]
    pub again: bool,
    /// Answer the question with yes, and still show what is signed
    #[arg(long)]
    pub yes: bool,
    /// How long to retry after errors that may pass, without the time in which a snapshot arrives
    #[arg(long, value_name = "SPAN", env = "SVDR_RETRY_FOR", value_parser = span::parse, default_value = "10m")]
    pub retry_for: Duration,
    /// The snapshot to donate, and the endpoint
    #[command(flatten)]
    pub donor: DonorArgs,
    /// Configuration, roster, key and state of the agent
    #[command(flatten)]
    pub online: OnlineArgs,
    /// How to reach the SV app
    #[command(flatten)]
    pub app: AppArgs,
    /// Ask the app for the agreed migration id, instead of only checking that it is its own + 1
    #[arg(long, env = "SVDR_REQUEST_MIGRATION_ID", help_heading = "SV app (instead of agent.toml)")]
    pub request_migration_id: bool,
}

/// The address is taken, or not this machine's.
#[derive(Debug, thiserror::Error)]
#[error(
    "{address} cannot be listened on; another donate may be running\nhelp: give a free address with --donor-listen, or donor.listen"
)]
struct ListenError {
    address: SocketAddr,
    source: io::Error,
}

impl CommandError for ListenError {
    fn exit(&self) -> Exit {
        Exit::Failed
    }
}

/// Donates, and serves until stopped.
///
/// # Errors
/// If nothing is donated, or nothing more; what is signed stays signed.
pub fn run(args: &DonateArgs, output: Output) -> Result<(), Failure> {
    let online = Online::open(&args.online)?;
    let settings = DonateSettings::of(args, &online)?;
    runtime::on_threads(NETWORK_THREADS, Donating { online, settings, args }.donate(output))
}

/// What has to be configured.
struct DonateSettings {
    donor: DonorSettings,
    sv_app: app::AppSettings,
    /// Whether to ask the app for the agreed migration id.
    request_migration_id: bool,
    folder: PathBuf,
}

impl DonateSettings {
    fn of(args: &DonateArgs, online: &Online) -> Result<DonateSettings, Failure> {
        let (config, mut missing) = (&online.config, Vec::new());
        let donor = args.donor.resolve(config, &mut missing)?;
        // A donation is one answer, by whichever way this SV's own dump comes.
        let sv_app = args.app.resolve(&config.sv_app, config, &mut missing)?;
        let request_migration_id =
            args.request_migration_id || config.sv_app.request_migration_id.unwrap_or(false);
        if config.output_dir.is_none() {
            missing.push(config.missing_output_dir("--out", "SVDR_DONATE_OUT"));
        }
        let folder = args.out.as_ref().map(|_| PathBuf::new()).or_else(|| config.output_dir.clone());
        match (donor, sv_app, folder) {
            (Some(donor), Some(sv_app), Some(folder)) => {
                Ok(DonateSettings { donor, sv_app, request_migration_id, folder })
            }
            _ => Err(ConfigError::Missing { missing }.into()),
        }
    }
}

/// What is agreed on.
struct Agreed {
    round: u32,
    proposal: Digest,
    plan: Plan,
}

struct Donating<'a> {
    online: Online,
    settings: DonateSettings,
    args: &'a DonateArgs,
}

impl Donating<'_> {
    async fn donate(self, output: Output) -> Result<(), Failure> {
        let seen = self.online.session(Some(&self.args.session)).await?;
        let session = seen.view.session().id();
        let agreed = self.agreed(&seen)?;
        let signed = self.signed(&seen, &agreed);
        let url = self.url(signed.as_ref());
        // Before anything is signed: who cannot listen promises nothing.
        let listener = match url {
            Some(_) if !self.args.no_serve => Some(self.listen().await?),
            _ => None,
        };
        let (record, offer) = self.snapshot(session, &agreed).await?;
        // The same file and no other URL: the same statement.
        let donation = record.to_donation(url);
        let wish = Wish {
            decide: &|voter| any(voter.donate(&donation), Body::Donation),
            words: &|session, me, body| match body {
                Body::Donation(donation) => signing::donation(session, me, donation),
                _ => String::new(),
            },
            questions: vec![format!("Donate this snapshot in round {}?", agreed.round)],
            beforehand: Beforehand::from_yes(self.args.yes),
        };
        decide::decide(&self.online, seen, &wish, output).await?;
        let Some(listener) = listener else {
            tracing::info!(
                "the snapshot is {}. Pass it on unchanged, for `svdr-agent receive {session} --from {} \
                 --file FILE`",
                record.path.display(),
                self.online.me()
            );
            return Ok(());
        };
        let donations = self.donations(session, &record)?;
        self.serve(offer.under(donations), listener).await
    }

    fn agreed(&self, seen: &Seen) -> Result<Agreed, Failure> {
        let session = seen.view.session();
        let round = shown_round(session).ok_or(DecideError::NoProposal { session: session.id() })?;
        let record = self.online.store.record(&self.online.roster)?;
        let others: Vec<_> = seen.others.iter().map(crate::replica::Replica::session).collect();
        let voter = svdr_protocol::vote::Voter::new(self.online.me(), &record, session, &others);
        match voter.may_donate(round) {
            Decision::Sign((proposal, plan)) => Ok(Agreed { round, proposal, plan }),
            Decision::Wait(wait) => Err(DecideError::Wait(wait).into()),
            Decision::Refuse(refusal) => Err(DecideError::Refused(refusal).into()),
            // Nothing that could be signed has been, as nothing was asked about.
            Decision::Signed(_) => Err(DecideError::Changed.into()),
        }
    }

    /// This member's donation that counts now.
    fn signed(&self, seen: &Seen, agreed: &Agreed) -> Option<Donation> {
        let donations = seen.view.session().donations(agreed.round, &agreed.proposal);
        donations.get(self.online.me()).map(|(_, donation)| (*donation).clone())
    }

    /// Where it is handed out: as signed before, unless another URL is asked for.
    fn url(&self, signed: Option<&Donation>) -> Option<String> {
        match signed {
            Some(signed) if self.args.no_serve => signed.url.clone(),
            None if self.args.no_serve => None,
            Some(signed) => self.settings.donor.url.clone().or_else(|| signed.url.clone()),
            None => self.settings.donor.url.clone(),
        }
    }

    async fn listen(&self) -> Result<TcpListener, Failure> {
        let address = self.settings.donor.listen;
        Ok(TcpListener::bind(address).await.map_err(|source| ListenError { address, source })?)
    }

    /// The snapshot of an earlier run, if it is what it was; or else a new one.
    async fn snapshot(
        &self,
        session: SessionId,
        agreed: &Agreed,
    ) -> Result<(DonationRecord, Offer), Failure> {
        let known = self.online.store.donation(session, agreed.round)?;
        let party = &self.settings.donor.dso_party;
        let known = known.filter(|known| known.proposal == agreed.proposal && known.party == *party);
        let record = match known {
            Some(known) if !self.args.again => {
                tracing::info!("using the snapshot {} again", known.path.display());
                known
            }
            _ => self.take(session, agreed).await?,
        };
        let of = record.clone();
        let checked =
            runtime::beside(move || Offer::of(session, Vec::new(), &of.path, (of.size, of.sha256))).await?;
        Ok((record, checked?))
    }

    async fn take(&self, session: SessionId, agreed: &Agreed) -> Result<DonationRecord, Failure> {
        let DonateSettings { donor, sv_app: settings, request_migration_id, folder } = &self.settings;
        let timestamp = agreed.plan.recovery_timestamp();
        let (out, replace) = match &self.args.out {
            Some(out) => (
                std::path::absolute(out).unwrap_or_else(|_| out.clone()),
                Replace::from_force(self.args.again),
            ),
            // Only this member's earlier tries for the same round can be there.
            None => (folder.join(file_name(session, agreed.round)), Replace::Force),
        };
        let app = sv_app::connect(settings.clone()).await?;
        let request = Request {
            content: RequestContent::Donation { party: donor.dso_party.clone() },
            timestamp,
            migration_id: agreed.plan.migration_id(),
            request_migration_id: *request_migration_id,
            parts: Parts::Digest,
            out,
            replace,
            received: Arc::default(),
        };
        tracing::info!("taking the snapshot of {} at {timestamp} from the SV app", donor.dso_party);
        let made = fetch::fetch(&app, &request, RetryPolicy::lasting(self.args.retry_for)).await?;
        let of = (agreed.round, agreed.proposal);
        let record = DonationRecord::new(of, made.path, donor.dso_party.clone(), &made.summary);
        self.online.store.lock()?.keep_donation(session, &record)?;
        Ok(record)
    }

    /// The digests of this member's donations of the snapshot: several where it has signed several URLs.
    fn donations(&self, session: SessionId, record: &DonationRecord) -> Result<Vec<Digest>, Failure> {
        let signed = self.online.store.signed(session)?.into_iter();
        let read = signed.filter_map(|envelope| Verified::read(envelope, &self.online.roster).ok());
        let of_it = read.filter(|one| match one.body() {
            Body::Donation(donation) => donation.snapshot.digest == record.sha256,
            _ => false,
        });
        Ok(of_it.map(|one| one.digest()).collect())
    }

    async fn serve(self, offer: Offer, listener: TcpListener) -> Result<(), Failure> {
        let stop = runtime::stop_signal()?;
        let address = listener.local_addr().map_err(DonorServerError::Listener)?;
        tracing::info!(
            "serving the snapshot to the roster's members on {address}, until stopped (Ctrl-C). Run donate \
             again to continue"
        );
        let key = &self.online.signer.key;
        Ok(donate::serve(&self.online.roster, key, vec![offer], listener, stop).await?)
    }
}

/// `dso_snapshot-SESSION-rN.json`.
fn file_name(session: SessionId, round: u32) -> String {
    let session = session.to_string();
    format!("dso_snapshot-{}-r{round}.json", session.get(..8).unwrap_or(&session))
}
