//! Steps 3 and 4: from a donation to a dump on the disk that is written down.

use std::path::Path;
use std::sync::Arc;

use svdr_cli::failure::Failure;
use svdr_cli::runtime;
use svdr_files::PartialFile;
use svdr_proto::tls::TlsIdentity;

use super::snapshot::SnapshotSource;
use super::{Offered, ReceiveCommandError, Receiving};
use crate::run::jobs;
use crate::sources::cancel::CancelOnDrop;
use crate::sources::donor::{self, DonorSource, Partial, ReceiveError, TransferError};
use crate::store::DumpRecord;
use svdr_client::CoordinatorsError;
use svdr_client::retry::RetryPolicy;
use svdr_dump::{Identities, MergeSummary};

impl Receiving<'_> {
    /// Makes the dump.
    pub(super) async fn make(
        &self,
        offered: &Offered,
        identities: Identities,
    ) -> Result<DumpRecord, Failure> {
        let started = jobs::now();
        let out = match &self.args.out {
            Some(out) => std::path::absolute(out).unwrap_or_else(|_| out.clone()),
            None => self.settings.folder.join(file_name(offered)),
        };
        let identities = Arc::new(identities);
        let (partial, summary) = loop {
            let partial = match &self.args.file {
                Some(_) => None,
                None => Some(self.transfer(offered).await?),
            };
            let (partial, made) = self.merged(offered, &identities, &out, partial).await?;
            let error = match made {
                Ok(summary) => break (partial, summary),
                Err(error) => error,
            };
            let Some(partial) = partial else { return Err(error.into()) };
            let is_lie = matches!(error, ReceiveError::Transfer(TransferError::Lied { .. }));
            let may_be_torn = is_lie && partial.is_continued();
            if may_be_torn {
                let path = partial.file().path().display();
                tracing::warn!(
                    "the bytes of an earlier run in {path} are not those of the signed snapshot. \
                    Starting again"
                );
            }
            // What the donor signed is no snapshot, or what it sends is not what it signed: no other try would bring
            // another, unless it was this machine that lost bytes.
            if is_lie || matches!(error, ReceiveError::Refused { .. }) {
                partial.remove().map_err(ReceiveError::File)?;
            }
            if !may_be_torn {
                return Err(error.into());
            }
        };
        let of = (offered.round, offered.proposal);
        let record = DumpRecord::new(of, out, &summary, (started, jobs::now()))
            .received_from(self.args.from.clone(), offered.digest);
        self.keep(offered, &record)?;
        if let Some(partial) = partial {
            partial.remove().map_err(ReceiveError::File)?;
        }
        donor::remove_others(&self.settings.folder, offered.session);
        Ok(record)
    }

    /// Looks what has arrived, or the file that was given, through, and merges it.
    async fn merged(
        &self,
        offered: &Offered,
        identities: &Arc<Identities>,
        out: &Path,
        partial: Option<Partial>,
    ) -> Result<(Option<Partial>, Result<MergeSummary, ReceiveError>), Failure> {
        let (from, donation) = (self.args.from.clone(), offered.donation.clone());
        let (given, identities, out) = (self.args.file.clone(), Arc::clone(identities), out.to_owned());
        let waiting = CancelOnDrop::default();
        let cancelled = waiting.cancelled();
        let merging = runtime::beside(move || {
            let snapshot = match (&partial, &given) {
                (Some(partial), _) => SnapshotSource::Partial(partial),
                (None, given) => SnapshotSource::Given(given.as_deref().unwrap_or(Path::new(""))),
            };
            let made = snapshot.merged(&identities, (&from, &donation), &out, &cancelled);
            (partial, made)
        });
        Ok(merging.await?)
    }

    /// Writes the record down, unless this member has made and attested a dump of its own meanwhile.
    fn keep(&self, offered: &Offered, record: &DumpRecord) -> Result<(), Failure> {
        let locked = self.online.store.lock()?;
        let known = self.online.store.dump(offered.session, offered.round)?;
        let own = known.filter(|known| known.received.is_none() && known.proposal == offered.proposal);
        if let Some(own) = own.filter(|own| own.path.exists()) {
            return Err(ReceiveCommandError::OwnDump { path: own.path, round: offered.round }.into());
        }
        locked.keep_dump(offered.session, record)?;
        Ok(())
    }

    async fn transfer(&self, offered: &Offered) -> Result<Partial, Failure> {
        let (from, donation) = (&self.args.from, &offered.donation);
        let no_url = || ReceiveCommandError::NoUrl { from: from.clone(), session: offered.session };
        let member = self.online.roster.member(from);
        let member = member.ok_or_else(|| ReceiveCommandError::NoSuchMember { name: from.clone() })?;
        let source = DonorSource {
            session: offered.session,
            donation: offered.digest,
            donor: from.clone(),
            key: member.key.verifying_key().to_bytes(),
            url: donation.url.clone().ok_or_else(no_url)?,
            size: donation.snapshot.size,
        };
        let name = donor::partial_name(offered.session, &donation.snapshot.digest);
        let file = PartialFile::open(self.settings.folder.join(name)).map_err(ReceiveError::File)?;
        let identity = TlsIdentity::new(&self.online.signer.key).map_err(CoordinatorsError::Tls)?;
        let policy = RetryPolicy::lasting(self.args.retry_for);
        Ok(donor::transfer(source, identity, file, policy).await.map_err(ReceiveError::Transfer)?)
    }
}

/// The name that `run` gives its own dump, and whose snapshot it is made of: the two never replace each other.
fn file_name(offered: &Offered) -> String {
    let own = jobs::file_name(offered.session, offered.round);
    let donation: String = hex::encode(offered.digest.as_bytes()).chars().take(8).collect();
    own.replace(".json", &format!("-received-{donation}.json"))
}
