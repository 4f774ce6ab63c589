//! What our keys in Redis are called. `docs/views.md` lists them.

use eventing::StreamId;

use super::super::{Generation, LookupKey};

/// The field of a view's hash that holds its version, position and head; entries never have an empty name.
pub(super) const ROW: &str = "";

/// Names under one prefix.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) prefix: String,
}

impl Names {
    pub(super) fn meta(&self) -> String {
        format!("{}meta", self.prefix)
    }

    pub(super) fn forgotten(&self) -> String {
        format!("{}forgotten", self.prefix)
    }

    pub(super) fn changes(&self) -> String {
        format!("{}changes", self.prefix)
    }

    pub(super) fn rebuild_lock(&self) -> String {
        format!("{}rebuild", self.prefix)
    }

    pub(super) fn fence(&self, projection: &str) -> String {
        format!("{}fence:{projection}", self.prefix)
    }

    pub(super) fn view(&self, generation: Generation, stream: &StreamId) -> String {
        format!("{}{stream}", self.views(generation))
    }

    /// What the keys of a generation's views begin with.
    pub(super) fn views(&self, generation: Generation) -> String {
        format!("{}view:{generation}:", self.prefix)
    }

    pub(super) fn partition(&self, generation: Generation, index: &str, partition: &str) -> String {
        format!("{}{index}:{partition}", self.lookups(generation))
    }

    /// What the keys of a generation's lookups begin with.
    pub(super) fn lookups(&self, generation: Generation) -> String {
        format!("{}lookup:{generation}:", self.prefix)
    }

    /// The generation that a key of a view or lookup belongs to.
    pub(super) fn generation_of(&self, key: &[u8]) -> Option<Generation> {
        let key = std::str::from_utf8(key).ok()?.strip_prefix(&self.prefix)?;
        let rest = key
            .strip_prefix("view:")
            .or_else(|| key.strip_prefix("lookup:"))?;
        rest.split_once(':')?.0.parse().ok().map(Generation)
    }
}

/// A pattern for SCAN that matches `prefix` itself, whatever is in it.
pub(super) fn pattern(prefix: &str) -> String {
    let mut pattern = String::with_capacity(prefix.len() + 1);
    for one in prefix.chars() {
        if matches!(one, '*' | '?' | '[' | ']' | '\\' | '^' | '-') {
            pattern.push('\\');
        }
        pattern.push(one);
    }
    pattern.push('*');
    pattern
}

/// The lookup in a member of its partition's sorted set: `key`, a zero byte, `value`. The set sorts by bytes, so by key.
pub(super) fn of_member(member: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = member.iter().position(|byte| *byte == 0)?;
    Some((&member[..at], &member[at + 1..]))
}

/// Bounds for ZRANGEBYLEX between which the members with exactly this key lie.
pub(super) fn exactly(lookup: &LookupKey) -> (Vec<u8>, Vec<u8>) {
    let bound = |mark: &[u8], end: u8| [mark, lookup.key.as_bytes(), &[end]].concat();
    (bound(b"[", 0), bound(b"(", 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_with_marks_of_patterns_matches_itself_alone() {
        assert_eq!(pattern("a*b:"), "a\\*b:*");
    }

    #[test]
    fn a_key_tells_its_generation() {
        let names = Names {
            prefix: "p:".to_owned(),
        };
        let stream = StreamId::new("thing", uuid::Uuid::nil());
        let key = names.view(Generation(7), &stream);
        assert_eq!(names.generation_of(key.as_bytes()), Some(Generation(7)));
        let key = names.partition(Generation(8), "index", "part");
        assert_eq!(names.generation_of(key.as_bytes()), Some(Generation(8)));
        assert_eq!(names.generation_of(b"p:meta"), None);
    }
}
