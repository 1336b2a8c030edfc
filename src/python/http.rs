//! The head of the answer that nearly every handshake gets.

use pyo3::prelude::*;

/// More is for h11 to read, and to refuse.
const MAX_FIELDS: usize = 64;

/// Reason phrase, header fields and length of a head.
type Head = (String, Vec<(String, String)>, usize);

/// Read the head of an HTTP/1.1 answer with status 101 (RFC 9110 §15.2.2) at the start of `data`.
///
/// Args:
///     data: What has been received.
///
/// Returns:
///     The reason phrase, the header fields in order, and the number of bytes they took; `None` if
///     this is anything else, or not whole, or unusual: more than 64 fields, a claim to a body,
///     a reason phrase that is missing or not ASCII.
#[pyfunction]
pub fn parse_switching_head(data: &[u8]) -> Option<Head> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut head = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(length) = head.parse(data).ok()? else {
        return None;
    };
    if head.version != Some(1) || head.code != Some(101) {
        return None;
    }
    // A 101 has no body (RFC 9112 §6.3). h11 has the rules for those that claim one.
    let framed = |field: &httparse::Header<'_>| {
        let name = field.name;
        name.eq_ignore_ascii_case("Transfer-Encoding")
            || name.eq_ignore_ascii_case("Content-Length")
    };
    if head.headers.iter().any(framed) {
        return None;
    }
    // httparse says nothing of a reason phrase that is not ASCII.
    let reason = head.reason.filter(|reason| !reason.is_empty())?.to_owned();
    let fields = head.headers.iter().map(|field| (field.name.to_owned(), latin_1(field.value)));
    Some((reason, fields.collect(), length))
}

fn latin_1(value: &[u8]) -> String {
    value.iter().copied().map(char::from).collect()
}
