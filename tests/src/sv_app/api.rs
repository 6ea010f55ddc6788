//! The calls of the SV app's API (`sv-internal.yaml`) and of the validator app's (`validator-internal.yaml`), answered from what the stand-in is set to be.

use std::io::{self, Write as _};
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use svdr_protocol::time::Timestamp;
use tokio::io::BufReader;

use super::document::{self, Flaw};
use super::export::{DumpVolume, Export, ExportFault};
use super::fault::Fault;
use super::http::{Answerer, Break, Delivery, Framing, Head, KeepAlive, Request, Wire};
use super::{Kind, Recorded, Shared, TOKEN_PATH, validator};

/// Bytes of the identities that are sent at once.
const IDENTITIES_PIECE: usize = 48 * 1024;

/// Answers the requests of one connection until it ends.
pub(super) async fn serve(wire: Box<dyn Wire>, shared: &Arc<Shared>) -> io::Result<()> {
    let mut wire = BufReader::new(wire);
    while let Some(request) = Request::read(&mut wire).await? {
        let sent = |bytes| shared.record(|log| log.sent += bytes);
        let stalled = || shared.record(|log| log.stalled += 1);
        let mut answerer = Answerer { wire: wire.get_mut(), sent: &sent, stalled: &stalled };
        if !answer(&request, shared, &mut answerer).await? {
            break;
        }
    }
    Ok(())
}

async fn answer(request: &Request, shared: &Arc<Shared>, out: &mut Answerer<'_>) -> io::Result<KeepAlive> {
    let authorized = shared.is_authorized(request.header("authorization"));
    shared.record(|log| {
        log.requests.push(Recorded {
            method: request.method.clone(),
            target: request.target.clone(),
            authorized,
        });
    });
    if request.path() == TOKEN_PATH && request.method == "POST" {
        return token(request, shared, out).await;
    }
    let Some(call) = request.path().strip_prefix(shared.options.kind.base_path()) else {
        return refuse(out, 404, "no such path").await;
    };
    match (request.method.as_str(), call) {
        ("GET", "/readyz" | "/livez") => out.small(head(200), b"").await,
        ("GET", "/version") => {
            let version = json!({"version": "0.5.0", "commit_ts": "2026-01-01T00:00:00Z"});
            out.small(json_head(200), version.to_string().as_bytes()).await
        }
        ("GET", "/v0/admin/domain/data-snapshot") => {
            let fault = shared.next_fault();
            if matches!(fault, Fault::None) && !authorized {
                return refuse(out, 401, "the supplied authentication is invalid").await;
            }
            snapshot(request, shared, out, fault).await
        }
        ("GET", "/v0/admin/domain/identities-dump") if shared.options.kind == Kind::Sv => {
            let fault = shared.next_identities_fault();
            if matches!(fault, Fault::None) && !authorized {
                return refuse(out, 401, "the supplied authentication is invalid").await;
            }
            identities(shared, out, &fault).await
        }
        _ if !authorized => refuse(out, 401, "the supplied authentication is invalid").await,
        ("GET", "/v0/admin/authorization") if shared.options.kind == Kind::Sv => {
            out.small(head(200), b"").await
        }
        ("POST", "/v0/admin/domain/migration-dump") if shared.options.kind == Kind::Sv => {
            export(request, shared, out).await
        }
        _ => refuse(out, 404, "no such call").await,
    }
}

fn head(status: u16) -> Head {
    Head { status, headers: Vec::new() }
}

fn json_head(status: u16) -> Head {
    typed_head(status, "application/json")
}

fn typed_head(status: u16, content_type: &str) -> Head {
    Head { status, headers: vec![("content-type", content_type.to_owned())] }
}

async fn refuse(out: &mut Answerer<'_>, status: u16, error: &str) -> io::Result<KeepAlive> {
    out.small(json_head(status), json!({ "error": error }).to_string().as_bytes()).await
}

/// RFC 6749, sections 4.4 and 5.
async fn token(request: &Request, shared: &Shared, out: &mut Answerer<'_>) -> io::Result<KeepAlive> {
    let options = &shared.options;
    let right = request.form("grant_type").as_deref() == Some("client_credentials")
        && request.form("client_id").as_deref() == Some(&options.client_id)
        && request.form("client_secret").as_deref() == Some(&options.client_secret);
    if !right {
        let refusal =
            json!({"error": "invalid_client", "error_description": "unknown client or wrong secret"});
        return out.small(json_head(401), refusal.to_string().as_bytes()).await;
    }
    let answer = json!({"access_token": shared.issue_token(), "token_type": "Bearer", "expires_in": 3600});
    out.small(json_head(200), answer.to_string().as_bytes()).await
}

/// Answers a request with a fault that has nothing of a document in it; `None` where it has.
async fn refuse_with(fault: &Fault, out: &mut Answerer<'_>) -> io::Result<Option<KeepAlive>> {
    let keep_alive = match fault {
        Fault::Status(status, error) => refuse(out, *status, error).await?,
        Fault::RetryAfter(status, after) => {
            let mut head = json_head(*status);
            head.headers.push(("retry-after", after.clone()));
            out.small(head, br#"{"error":"overloaded"}"#).await?
        }
        Fault::Answer(status, content_type, body) => {
            out.small(typed_head(*status, content_type), body.as_bytes()).await?
        }
        Fault::HtmlBadGateway => {
            let page =
                b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>nginx</body>\r\n</html>";
            out.small(typed_head(502, "text/html"), page).await?
        }
        Fault::HtmlLogin => {
            let page = b"<!doctype html><title>Sign in</title><form action=/login></form>";
            out.small(typed_head(200, "text/html; charset=utf-8"), page).await?
        }
        Fault::Garbage => out.small(json_head(200), b"\x00\x01upstream error\xff").await?,
        Fault::Redirect(location) => {
            let mut head = head(302);
            head.headers.push(("location", location.clone()));
            out.small(head, b"").await?
        }
        Fault::ResetBeforeHead => {
            out.break_off(Break::Reset).await?;
            false
        }
        Fault::StallBeforeHead => {
            out.break_off(Break::Stall).await?;
            false
        }
        _ => return Ok(None),
    };
    Ok(Some(keep_alive))
}

/// Answers a request for the identities with a fault, or soundly.
async fn identities(shared: &Shared, out: &mut Answerer<'_>, fault: &Fault) -> io::Result<KeepAlive> {
    if let Some(keep_alive) = refuse_with(fault, out).await? {
        return Ok(keep_alive);
    }
    let document = shared.options.identities.to_string().into_bytes();
    let len = document.len();
    // In pieces, so that a break can come between them.
    let pieces: Vec<Vec<u8>> = match fault {
        Fault::CutDocument => vec![document[..len / 2].to_vec()],
        _ => document.chunks(IDENTITIES_PIECE).map(<[u8]>::to_vec).collect(),
    };
    deliver(pieces.into_iter(), len as u64, out, fault).await
}

/// Answers a request for a data snapshot with a fault, or soundly.
async fn snapshot(
    request: &Request,
    shared: &Shared,
    out: &mut Answerer<'_>,
    fault: Fault,
) -> io::Result<KeepAlive> {
    if let Some(keep_alive) = refuse_with(&fault, out).await? {
        return Ok(keep_alive);
    }
    let Some(asked) = request.query("timestamp") else {
        return refuse(out, 400, "the query parameter timestamp is missing").await;
    };
    let Ok(timestamp) = asked.parse::<Timestamp>() else {
        return refuse(out, 400, &format!("{asked} is not a timestamp")).await;
    };
    if shared.options.kind == Kind::Validator && request.query("force").as_deref() != Some("true") {
        return refuse(out, 400, "the synchronizer is not paused; force the export").await;
    }
    if let Some((status, error)) = cannot_serve(shared, timestamp) {
        return refuse(out, status, &error).await;
    }
    let migration_id = match request.query("migration_id").map(|id| id.parse::<u64>()) {
        None => shared.options.migration_id + 1,
        Some(Ok(id)) => id,
        Some(Err(_)) => return refuse(out, 400, "migration_id is not a number").await,
    };
    let dso_party = shared.options.identities["identities"]["dso_party_id"].as_str();
    let of_party = match request.query("party_id") {
        None => false,
        Some(party) if Some(party.as_str()) == dso_party => true,
        Some(party) => return refuse(out, 404, &format!("no party {party} is hosted here")).await,
    };
    let document = Document { timestamp, migration_id, flaw: Flaw::Sound, of_party };
    send(document.with(&fault), shared, out, &fault).await
}

/// Writes a dump into the volume, with a fault, or soundly.
async fn export(request: &Request, shared: &Arc<Shared>, out: &mut Answerer<'_>) -> io::Result<KeepAlive> {
    let (folder, app_dir) = match &shared.options.volume {
        DumpVolume::Unknown => return refuse(out, 404, "no such call").await,
        DumpVolume::Unconfigured => {
            return refuse(
                out,
                500,
                "Could not trigger DomainMigrationDump because dump path is not configured",
            )
            .await;
        }
        DumpVolume::At { folder, app_dir } => (folder.clone(), app_dir.clone()),
    };
    let asked: Option<Asked> = serde_json::from_slice(&request.body).ok();
    let Some(Asked { migration_id, timestamp }) = asked else {
        return refuse(out, 400, "The request content was malformed").await;
    };
    let fault = shared.next_export_fault();
    shared.record(|log| log.exports += 1);
    if let ExportFault::Status(status, error) = &fault {
        shared.record(|log| log.exports_ended += 1);
        return refuse(out, *status, error).await;
    }
    if let Some((status, error)) = cannot_serve(shared, timestamp) {
        shared.record(|log| log.exports_ended += 1);
        return refuse(out, status, &error).await;
    }
    let (at_work, of) = (Arc::clone(shared), fault.clone());
    let written = tokio::task::spawn_blocking(move || {
        let options = &at_work.options;
        let export = Export {
            folder: &folder,
            app_dir: &app_dir,
            shape: options.snapshot,
            identities: &options.identities,
            timestamp,
            migration_id,
            fault: &of,
            written: &|bytes| at_work.record(|log| log.exported += bytes),
        };
        let written = export.write();
        at_work.record(|log| log.exports_ended += 1);
        written
    });
    match fault {
        ExportFault::GatewayTimeout => {
            let page = b"<html><head><title>504 Gateway Time-out</title></head><body>nginx</body></html>";
            return out.small(typed_head(504, "text/html"), page).await;
        }
        ExportFault::AnswerFirst(_) => return out.small(head(200), b"").await,
        _ => {}
    }
    let is_whole = written.await.map_err(io::Error::other)??;
    if !is_whole {
        out.break_off(Break::Reset).await?;
        return Ok(false);
    }
    if fault == ExportFault::Silent {
        out.break_off(Break::Stall).await?;
        return Ok(false);
    }
    out.small(head(200), b"").await
}

/// The body of a request for an export.
#[derive(serde::Deserialize)]
struct Asked {
    migration_id: u64,
    timestamp: Timestamp,
}

/// Why the participant cannot serve a timestamp, as a status and an error.
fn cannot_serve(shared: &Shared, timestamp: Timestamp) -> Option<(u16, String)> {
    if let Some(pruned_until) = shared.options.pruned_until.filter(|until| timestamp < *until) {
        return Some((400, format!("participant has been pruned up to {pruned_until}")));
    }
    let caught_up_to = shared.options.caught_up_to.filter(|until| timestamp > *until)?;
    Some((429, format!("participant has only caught up to {caught_up_to}")))
}

/// The document that is about to be sent.
#[derive(Clone, Copy)]
struct Document {
    timestamp: Timestamp,
    migration_id: u64,
    flaw: Flaw,
    /// Whether it holds the DSO party's contracts only.
    of_party: bool,
}

impl Document {
    /// The same with what `fault` changes in it.
    fn with(self, fault: &Fault) -> Document {
        match fault {
            Fault::WrongTimestamp(later) => {
                let timestamp = Timestamp::from_micros(self.timestamp.micros() + later);
                Document { timestamp: timestamp.unwrap_or(Timestamp::MAX), ..self }
            }
            Fault::WrongMigrationId(migration_id) => Document { migration_id: *migration_id, ..self },
            Fault::DuplicateKey => Document { flaw: Flaw::DuplicateKey, ..self },
            Fault::CutDocument => Document { flaw: Flaw::Cut, ..self },
            _ => self,
        }
    }
}

async fn send(
    document: Document,
    shared: &Shared,
    out: &mut Answerer<'_>,
    fault: &Fault,
) -> io::Result<KeepAlive> {
    let Document { timestamp, migration_id, flaw, of_party } = document;
    let (shape, options) = (shared.options.snapshot, &shared.options);
    let shape = if of_party { shape.of_the_dso_party() } else { shape };
    let make = || -> Box<dyn Iterator<Item = Vec<u8>> + Send> {
        match options.kind {
            Kind::Sv => Box::new(document::snapshot(shape, timestamp, migration_id, flaw)),
            Kind::Validator => {
                Box::new(validator::answer(shape, timestamp, migration_id, flaw, &options.identities))
            }
        }
    };
    let len = make().map(|piece| piece.len() as u64).sum();
    deliver(make(), len, out, fault).await
}

/// Sends the pieces of a document of `len` bytes, with what is wrong on the way.
async fn deliver(
    pieces: impl Iterator<Item = Vec<u8>> + Send,
    len: u64,
    out: &mut Answerer<'_>,
    fault: &Fault,
) -> io::Result<KeepAlive> {
    let whole = || Framing::Length(len);
    let mut delivery = Delivery { framing: Framing::Chunked, breaks: None, drip: None };
    match fault {
        Fault::Gzip | Fault::TruncatedGzip => {
            let mut head = json_head(200);
            head.headers.push(("content-encoding", "gzip".to_owned()));
            let mut zipped = Zipped::of(pieces).collect::<io::Result<Vec<_>>>()?;
            if matches!(fault, Fault::TruncatedGzip) {
                let len = zipped.len();
                zipped.truncate(len / 2);
                zipped.iter_mut().for_each(|piece| piece.truncate(piece.len().max(2) - 1));
            }
            return out.large(head, delivery, zipped.into_iter()).await;
        }
        Fault::ResetAfterHead => delivery.breaks = Some((0, Break::Reset)),
        Fault::ResetAt(at) => delivery.breaks = Some((*at, Break::Reset)),
        Fault::Truncated(at) => {
            delivery = Delivery { framing: whole(), breaks: Some((*at, Break::Close)), drip: None };
        }
        Fault::TruncatedChunked(at) => delivery.breaks = Some((*at, Break::Close)),
        Fault::CutDocument => delivery.framing = Framing::Close,
        Fault::Drip(len, pause) => delivery.drip = Some((*len, *pause)),
        Fault::DripThenStall(len, pause, at) => {
            let breaks = Some((*at, Break::Stall));
            delivery = Delivery { framing: Framing::Chunked, breaks, drip: Some((*len, *pause)) };
        }
        Fault::StallAt(at) => delivery.breaks = Some((*at, Break::Stall)),
        _ => delivery.framing = whole(),
    }
    out.large(json_head(200), delivery, pieces).await
}

/// Gzip of pieces, a piece at a time.
struct Zipped<I> {
    pieces: I,
    encoder: Option<GzEncoder<Vec<u8>>>,
}

impl<I> Zipped<I> {
    fn of(pieces: I) -> Zipped<I> {
        Zipped { pieces, encoder: Some(GzEncoder::new(Vec::new(), Compression::fast())) }
    }
}

impl<I: Iterator<Item = Vec<u8>>> Iterator for Zipped<I> {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<io::Result<Vec<u8>>> {
        let encoder = self.encoder.as_mut()?;
        match self.pieces.next() {
            Some(piece) => Some(encoder.write_all(&piece).map(|()| std::mem::take(encoder.get_mut()))),
            None => self.encoder.take().map(GzEncoder::finish),
        }
    }
}
