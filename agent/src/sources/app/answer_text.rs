//! The text of an answer that is not the one asked for, made safe to show to a person.
//!
//! The SV app answers `{"error": "…"}`. A proxy before it answers whatever it likes: HTML, plain text, a debug
//! page that repeats the request's headers. So the text is cut, secrets that we sent are replaced, and whatever
//! could steer a terminal is escaped.

use std::fmt;

use serde::Deserialize;
use svdr_protocol::text::{excerpt, shown_in_line};

use super::secret::{PLACEHOLDER, Secret};

/// Characters of a server's text that are shown. The app's own messages are one sentence.
pub const MAX_SHOWN: usize = 400;

/// The text of an answer, safe to print; `Display` continues a sentence: ` and said "…"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerText {
    /// The text of `{"error": "…"}`: the SV app itself spoke.
    App(String),
    /// An HTML page: a proxy, a load balancer or a login page spoke, not the app.
    Html(String),
    /// Some other text.
    Other(String),
    /// An empty body.
    None,
    /// Some text that is not shown: it could be a part of a document that is private.
    Unshown,
}

impl AnswerText {
    /// Reads the text of a body that was received with `content_type`, without any of `secrets`.
    pub fn read(content_type: Option<&str>, body: &[u8], secrets: &[&Secret]) -> AnswerText {
        #[derive(Deserialize)]
        struct ErrorAnswer {
            error: String,
        }
        if let Ok(ErrorAnswer { error }) = serde_json::from_slice(body) {
            return AnswerText::App(shown(&error, secrets));
        }
        let text = String::from_utf8_lossy(body);
        let text = text.trim();
        if is_html(content_type, body) {
            AnswerText::Html(shown(&without_tags(text), secrets))
        } else if text.is_empty() {
            AnswerText::None
        } else {
            AnswerText::Other(shown(text, secrets))
        }
    }

    /// The same for a call whose document is private: what is neither `{"error": …}` nor begins like a page may be
    /// that document, whatever status and type a proxy has given it, and is not shown.
    pub(super) fn read_private(_content_type: Option<&str>, body: &[u8], secrets: &[&Secret]) -> AnswerText {
        match AnswerText::read(None, body, secrets) {
            AnswerText::Other(_) => AnswerText::Unshown,
            answer => answer,
        }
    }
}

/// How the text of another answer than the one asked for is read: [`AnswerText::read`] or [`AnswerText::read_private`].
pub(super) type ReadText = fn(Option<&str>, &[u8], &[&Secret]) -> AnswerText;

/// Whether a body is an HTML page, by what it says of itself or by how it starts.
pub(super) fn is_html(content_type: Option<&str>, body: &[u8]) -> bool {
    let named = content_type.is_some_and(|named| {
        let essence = named.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("text/html") || essence.eq_ignore_ascii_case("application/xhtml+xml")
    });
    named || body.trim_ascii_start().starts_with(b"<")
}

/// `text` cut to [`MAX_SHOWN`] characters, secrets replaced, control and invisible characters escaped.
pub(super) fn shown(text: &str, secrets: &[&Secret]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().filter(|secret| !secret.expose().is_empty()) {
        text = text.replace(secret.expose(), PLACEHOLDER);
    }
    shown_in_line(&excerpt(&text, MAX_SHOWN))
}

/// The text of a page outside tags, `<style>` and `<script>`, its white space joined.
fn without_tags(html: &str) -> String {
    let mut text = String::new();
    let mut hidden_until: Option<&str> = None;
    for (index, piece) in html.split('<').enumerate() {
        let (tag, after) = match piece.split_once('>') {
            _ if index == 0 => ("", piece),
            Some(parts) => parts,
            None => (piece, ""),
        };
        let name = tag.split(|c: char| c.is_whitespace()).next().unwrap_or_default().to_ascii_lowercase();
        match hidden_until {
            Some(end) if name == end => hidden_until = None,
            Some(_) => continue,
            None if name == "style" => hidden_until = Some("/style"),
            None if name == "script" => hidden_until = Some("/script"),
            None => {}
        }
        if hidden_until.is_none() {
            text.push_str(after);
            text.push(' ');
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl fmt::Display for AnswerText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AnswerText::App(text) | AnswerText::Other(text) => write!(f, " and said \"{text}\""),
            AnswerText::Html(text) if text.is_empty() => f.write_str(" with an HTML page"),
            AnswerText::Html(text) => write!(f, " with an HTML page: \"{text}\""),
            AnswerText::None => f.write_str(" without a text"),
            AnswerText::Unshown => f.write_str(" and said something that is not shown here"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> AnswerText {
        AnswerText::read(None, body.as_bytes(), &[])
    }

    #[test]
    fn the_apps_own_text_differs_from_a_proxys() {
        assert_eq!(read(r#"{"error":"pruned"}"#), AnswerText::App("pruned".to_owned()));
        assert_eq!(read(r#"{"error":1}"#), AnswerText::Other(r#"{"error":1}"#.to_owned()));
        assert_eq!(read(" \n"), AnswerText::None);
        assert_eq!(
            read("<html><head><style>p{a:b}</style><title>502 Bad\nGateway</title></head><hr>nginx</html>"),
            AnswerText::Html("502 Bad Gateway nginx".to_owned())
        );
        assert_eq!(
            AnswerText::read(Some("Text/HTML; charset=utf-8"), b"", &[]),
            AnswerText::Html(String::new())
        );
    }

    #[test]
    fn a_private_document_is_not_quoted_whatever_it_comes_as() {
        let read = |body: &str| AnswerText::read_private(Some("text/html"), body.as_bytes(), &[]);
        for body in
            [r#"{"identities":{"participant":{"keys":["c2VjcmV0"]}}}"#, "c2VjcmV0\"}]}", " [c2VjcmV0<"]
        {
            assert_eq!(read(body), AnswerText::Unshown, "{body}");
        }
        assert_eq!(read(r#"{"error":"overloaded"}"#), AnswerText::App("overloaded".to_owned()));
        assert_eq!(read("<html>nginx</html>"), AnswerText::Html("nginx".to_owned()));
        assert_eq!(read(""), AnswerText::None);
    }

    #[test]
    fn a_page_that_does_not_end_is_read_as_far_as_it_goes() {
        for page in ["<", "<style>a", "<p>text<b", "<script>x</script"] {
            assert!(matches!(read(page), AnswerText::Html(_)), "{page}");
        }
        assert_eq!(read("<p>text<b"), AnswerText::Html("text".to_owned()));
    }

    #[test]
    fn nothing_steers_a_terminal() {
        assert_eq!(shown("a\u{1b}[2Jb\r\n\u{202e}é", &[]), "a\\u{1b}[2Jb\\r\\n\\u{202e}é");
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let text = shown(&"é".repeat(MAX_SHOWN + 1), &[]);
        assert_eq!(text.chars().count(), MAX_SHOWN + 1);
        assert!(text.ends_with('…'));
        assert_eq!(shown(&"é".repeat(MAX_SHOWN), &[]).chars().count(), MAX_SHOWN);
    }

    #[test]
    fn a_secret_that_is_repeated_to_us_is_not_repeated_further() {
        let secret = Secret::new("t0ken".to_owned());
        let page = "<pre>authorization: Bearer t0ken</pre>";
        let answer = AnswerText::read(None, page.as_bytes(), &[&secret]).to_string();
        assert_eq!(answer, " with an HTML page: \"authorization: Bearer [secret]\"");
        let answer = AnswerText::read(None, br#"{"error":"bad t0ken"}"#, &[&secret]);
        assert_eq!(answer, AnswerText::App("bad [secret]".to_owned()));
        // Cutting comes last: no half of a secret stays behind.
        let long = format!("{}t0ken", "x".repeat(MAX_SHOWN - 2));
        assert!(!shown(&long, &[&secret]).contains("t0"));
    }
}
