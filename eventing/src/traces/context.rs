//! W3C Trace Context: which trace something belongs to, and which of its spans led to it.

use std::fmt;

/// Whether the trace is told (`sampled`) and whether its id is random, as far as that is known. Others mean nothing yet.
const SAMPLED: u8 = 0b01;
const RANDOM: u8 = 0b10;
/// A version that the standard will never use.
const FORBIDDEN_VERSION: u8 = 0xff;

/// The id of a trace; never all zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(pub [u8; 16]);

impl TraceId {
    /// The id of a new trace.
    #[must_use]
    pub fn random() -> Self {
        Self(random())
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// A place in a trace: one of its spans. Its text is a `traceparent` of version 00.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    trace: TraceId,
    span: [u8; 8],
    flags: u8,
}

impl TraceContext {
    /// The first place of `trace`, whose id is random and which is told.
    #[must_use]
    pub fn begin(trace: TraceId) -> Self {
        Self {
            trace,
            span: random(),
            flags: SAMPLED | RANDOM,
        }
    }

    /// A new place in the same trace.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            span: random(),
            ..*self
        }
    }

    /// Reads a `traceparent` as strictly as the standard asks (W3C Trace Context, level 2). Of versions to come, what version
    /// 00 knows is taken.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let [version] = lower_hex(parts.next()?)?;
        let trace = lower_hex(parts.next()?).filter(|trace| *trace != [0; 16])?;
        let span = lower_hex(parts.next()?).filter(|span| *span != [0; 8])?;
        let [flags] = lower_hex(parts.next()?)?;
        let has_more = parts.next().is_some();
        if version == FORBIDDEN_VERSION || (version == 0 && has_more) {
            return None;
        }
        Some(Self {
            trace: TraceId(trace),
            span,
            flags: flags & (SAMPLED | RANDOM),
        })
    }

    /// The trace.
    #[must_use]
    pub fn trace(&self) -> TraceId {
        self.trace
    }

    /// The span.
    #[must_use]
    pub fn span(&self) -> [u8; 8] {
        self.span
    }

    /// The flags, those that are known.
    #[must_use]
    pub fn flags(&self) -> u8 {
        self.flags
    }

    /// Whether the trace is told.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trace, span, flags } = self;
        write!(f, "00-{trace}-{}-{flags:02x}", hex::encode(span))
    }
}

/// Exactly `2 * N` digits, none of them a capital letter.
fn lower_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let has_capitals = text.bytes().any(|byte| byte.is_ascii_uppercase());
    (!has_capitals && hex::decode_to_slice(text, &mut bytes).is_ok()).then_some(bytes)
}

/// All zeros would be no id.
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    while bytes == [0; N] {
        getrandom::fill(&mut bytes).expect("the system's random source answers");
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    fn parsed(text: &str) -> Option<String> {
        TraceContext::parse(text).map(|context| context.to_string())
    }

    #[test]
    fn version_00_is_read_and_written_to_the_letter() {
        for flags in ["00", "01", "02", "03"] {
            let text = format!("00-{TRACE}-{SPAN}-{flags}");
            assert_eq!(parsed(&text), Some(text));
        }
        let sampled = TraceContext::parse(&format!("00-{TRACE}-{SPAN}-01")).expect("a context");
        assert_eq!(sampled.trace().to_string(), TRACE);
        assert_eq!(hex::encode(sampled.span()), SPAN);
        assert!(sampled.is_sampled());
        let other = TraceContext::parse(&format!("00-{TRACE}-{SPAN}-02")).expect("a context");
        assert!(!other.is_sampled());
    }

    #[test]
    fn flags_without_a_meaning_are_passed_over_and_not_passed_on() {
        assert_eq!(
            parsed(&format!("00-{TRACE}-{SPAN}-ff")),
            Some(format!("00-{TRACE}-{SPAN}-03"))
        );
        assert_eq!(
            parsed(&format!("00-{TRACE}-{SPAN}-08")),
            Some(format!("00-{TRACE}-{SPAN}-00"))
        );
    }

    #[test]
    fn of_a_version_to_come_is_taken_what_version_00_knows() {
        let known = Some(format!("00-{TRACE}-{SPAN}-01"));
        assert_eq!(parsed(&format!("01-{TRACE}-{SPAN}-01")), known);
        assert_eq!(parsed(&format!("cc-{TRACE}-{SPAN}-01")), known);
        assert_eq!(
            parsed(&format!("cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like")),
            known
        );
        assert_eq!(
            parsed(&format!("cc-{TRACE}-{SPAN}-01.what-the-future-will-be-like")),
            None
        );
        assert_eq!(parsed(&format!("ff-{TRACE}-{SPAN}-01")), None);
    }

    #[test]
    fn whatever_breaks_the_form_is_no_context() {
        let whole = format!("00-{TRACE}-{SPAN}-01");
        let wrong = [
            String::new(),
            "00".to_owned(),
            "nonsense".to_owned(),
            // The version: other characters, too long, too short.
            whole.replacen("00", ".0", 1),
            whole.replacen("00", "0.", 1),
            whole.replacen("00", "000", 1),
            whole.replacen("00", "0", 1),
            // The trace: no id, other characters, too long, too short.
            whole.replace(TRACE, &"0".repeat(32)),
            whole.replace(TRACE, ".bf92f3577b34da6a3ce929d0e0e4736"),
            whole.replace(TRACE, "4bf92f3577b34da6a3ce929d0e0e473."),
            whole.replace(TRACE, "4bf92f3577b34da6a3ce929d0e0e47366"),
            whole.replace(TRACE, "4bf92f3577b34da6a3ce929d0e0e473"),
            whole.replace(TRACE, &TRACE.to_uppercase()),
            // The span, likewise.
            whole.replace(SPAN, &"0".repeat(16)),
            whole.replace(SPAN, ".0f067aa0ba902b7"),
            whole.replace(SPAN, "00f067aa0ba902b."),
            whole.replace(SPAN, "00f067aa0ba902b77"),
            whole.replace(SPAN, "00f067aa0ba902b"),
            whole.replace(SPAN, &SPAN.to_uppercase()),
            // The flags, likewise, and what may not follow them.
            format!("00-{TRACE}-{SPAN}-.0"),
            format!("00-{TRACE}-{SPAN}-0."),
            format!("00-{TRACE}-{SPAN}-001"),
            format!("00-{TRACE}-{SPAN}-1"),
            format!("00-{TRACE}-{SPAN}-"),
            format!("00-{TRACE}-{SPAN}"),
            format!("{whole}-"),
            format!("{whole}-what"),
            format!("{whole}."),
            // Other dashes, spaces, letters beyond ASCII.
            whole.replace('-', "_"),
            format!(" {whole}"),
            format!("{whole} "),
            whole.replace('4', "４"),
            format!("{whole},{whole}"),
        ];
        for wrong in wrong {
            assert_eq!(parsed(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_child_is_another_place_in_the_same_trace() {
        let begun = TraceContext::begin(TraceId::random());
        assert!(begun.is_sampled());
        let child = begun.child();
        assert_eq!((child.trace(), child.flags()), (begun.trace(), begun.flags()));
        assert_ne!(child.span(), begun.span());
        assert_eq!(TraceContext::parse(&child.to_string()), Some(child));
        assert_ne!(TraceId::random(), begun.trace());
    }
}
