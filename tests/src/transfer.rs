//! The two ends of a transfer, each in a process of its own, without the session around them: what `donate` serves with,
//! and what `receive` transfers with. For measurements (`benches/transfer.sh`).

#![allow(clippy::print_stdout, reason = "its output is what it is started for")]

use std::error::Error;
use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Parser;
use ed25519_dalek::SigningKey;
use svdr_agent::donate::{self, Offer};
use svdr_agent::sources::donor::{DonorSource, transfer};
use svdr_client::retry::RetryPolicy;
use svdr_files::PartialFile;
use svdr_proto::tls::TlsIdentity;
use svdr_protocol::digest::Digest;
use svdr_protocol::keys::PublicKey;
use svdr_protocol::roster::Roster;
use svdr_protocol::statement::SessionId;
use tokio::net::TcpListener;

use crate::members::{members, roster_toml};

/// Threads of the donor's network, as `donate` has them; what is fetched has a thread of its own.
const NETWORK_THREADS: usize = 1;

/// One end of a transfer.
#[derive(Debug, Parser)]
pub enum Part {
    /// Offer a file on a free port of the loopback interface, which is printed with the file's digest; until standard
    /// input ends
    Serve {
        /// The file
        file: PathBuf,
    },
    /// Fetch it
    Fetch {
        /// Where it is served
        address: SocketAddr,
        /// Its size
        size: u64,
        /// Its digest
        sha256: Digest,
        /// Where it goes
        out: PathBuf,
    },
}

/// Why a transfer failed.
type Failure = Box<dyn Error + Send + Sync>;

/// Does one part.
///
/// # Errors
/// Whatever went wrong.
pub fn run(part: &Part) -> Result<(), Failure> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(NETWORK_THREADS).enable_all().build()?;
    runtime.block_on(async {
        match part {
            Part::Serve { file } => serve(file).await,
            Part::Fetch { address, size, out, .. } => fetch(*address, *size, out).await,
        }
    })
}

fn key(member: u8) -> SigningKey {
    SigningKey::from_bytes(&[member; 32])
}

fn roster() -> Result<Roster, Failure> {
    let keys = [1, 2].map(|member| PublicKey::from(key(member).verifying_key()).to_string());
    Ok(Roster::parse(&roster_toml(&members(2), &keys))?)
}

fn session() -> Result<SessionId, Failure> {
    Ok("00112233445566778899aabbccddeeff".parse()?)
}

async fn serve(file: &Path) -> Result<(), Failure> {
    let size = std::fs::metadata(file)?.len();
    let sha256 = digest(file)?;
    let offer = Offer::of(session()?, vec![Digest::of(b"donation")], file, (size, sha256))?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{} {size} {sha256}", listener.local_addr()?);
    io::stdout().flush()?;
    let stop = async {
        // Its end, or that it cannot be read, or that the thread that waits for it is gone.
        let _ = tokio::task::spawn_blocking(|| io::stdin().read(&mut [0])).await;
    };
    Ok(donate::serve(&roster()?, &key(1), vec![offer], listener, stop).await?)
}

fn digest(path: &Path) -> Result<Digest, Failure> {
    use sha2::{Digest as _, Sha256};
    let (mut file, mut hash, mut buffer) = (std::fs::File::open(path)?, Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(Digest::from_bytes(hash.finalize().into())),
            read => hash.update(&buffer[..read]),
        }
    }
}

async fn fetch(address: SocketAddr, size: u64, out: &Path) -> Result<(), Failure> {
    let roster = roster()?;
    let [donor, _] = roster.members() else { return Err("the roster has two members".into()) };
    let source = DonorSource {
        session: session()?,
        donation: Digest::of(b"donation"),
        donor: donor.name.clone(),
        key: donor.key.verifying_key().to_bytes(),
        url: format!("https://{address}"),
        size,
    };
    let policy = RetryPolicy::lasting(std::time::Duration::ZERO);
    transfer(source, TlsIdentity::new(&key(2))?, PartialFile::open(out)?, policy).await?;
    Ok(())
}
