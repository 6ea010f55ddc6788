//! The body of a fuzz target: any bytes as what a server says when it refuses.

use svdr_protocol::text::hidden_in;

use super::answer_text::{AnswerText, MAX_SHOWN};
use super::secret::Secret;

/// The longest form of one shown character, `\u{10ffff}`, and what is around the answer.
const MAX_ESCAPED: usize = 10;
const MAX_FRAME: usize = 64;

/// Reads `body`: what is shown of it is short, steers no terminal, and holds no secret of ours.
///
/// # Panics
/// Where a law is broken.
pub fn any_body(body: &[u8]) {
    // None of its characters can come out of an escape, so that it is not put together from what was escaped.
    let secret = Secret::new("T0KEN".to_owned());
    for content_type in [None, Some("text/html")] {
        let answer = AnswerText::read(content_type, body, &[&secret]).to_string();
        assert!(answer.chars().count() <= MAX_SHOWN * MAX_ESCAPED + MAX_FRAME);
        assert_eq!(hidden_in(&answer), None);
        assert!(!answer.contains(secret.expose()));
    }
}
