//! Bodies that are small by right, read into memory up to a limit.

use reqwest::Response;

/// The first `limit` bytes of what is left of a response's body; the rest is not read.
///
/// # Errors
/// Where the connection breaks before the body ends or the limit is reached.
pub(super) async fn read_limited(response: &mut Response, limit: usize) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        let room = limit - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() == limit {
            break;
        }
    }
    Ok(body)
}
