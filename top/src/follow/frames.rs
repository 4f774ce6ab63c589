//! Server-sent events: lines gathered into frames.

use crate::event::EventLine;

/// The longest line that is taken: a playlist with its explanation is a hundredth of it.
const LINE_BYTES_MAX: usize = 16 << 20;

/// One frame that is complete.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Frame {
    /// Up to where there is nothing more to tell.
    pub(super) id: Option<u64>,
    /// The event, without its content; none in a sign of life.
    pub(super) event: Option<EventLine>,
}

/// The stream is none of ours.
#[derive(Debug, PartialEq)]
pub(super) struct NoFrames;

/// What has come of a frame that is not complete yet.
#[derive(Debug, Default)]
pub(super) struct Frames {
    line: Vec<u8>,
    frame: Frame,
}

impl Frames {
    /// Takes the next bytes and answers the frames that they complete.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<Vec<Frame>, NoFrames> {
        let mut complete = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.line.len() + part.len() > LINE_BYTES_MAX {
                return Err(NoFrames);
            }
            self.line.extend_from_slice(part);
            if self.line.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                complete.extend(self.end_line(line.trim_ascii_end())?);
            }
        }
        Ok(complete)
    }

    fn end_line(&mut self, line: &[u8]) -> Result<Option<Frame>, NoFrames> {
        if line.is_empty() {
            let frame = std::mem::take(&mut self.frame);
            return Ok((frame != Frame::default()).then_some(frame));
        }
        if let Some(id) = line.strip_prefix(b"id: ") {
            let id = std::str::from_utf8(id).ok().and_then(|id| id.parse().ok());
            self.frame.id = Some(id.ok_or(NoFrames)?);
        } else if let Some(data) = line.strip_prefix(b"data: ") {
            self.frame.event = Some(serde_json::from_slice(data).map_err(|_| NoFrames)?);
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "retry: 1000\n\nid: 7\nevent: listener.track_rated\ndata: {\"position\":7,\"time\":\"2026-11-26T10:00:00Z\",\"type\":\"listener.track_rated\",\"stream\":\"listener-1\",\"data\":{\"rating\":\"like\"}}\n\n:\nid: 9\n\n";

    #[test]
    fn events_come_without_their_content_however_the_bytes_are_cut() {
        for size in [1, 2, 7, 1_000] {
            let mut frames = Frames::default();
            let parts = STREAM.as_bytes().chunks(size);
            let complete: Vec<Frame> = parts
                .flat_map(|part| frames.take(part).expect("frames"))
                .collect();
            let [event, alive] = &complete[..] else {
                panic!("{complete:?}");
            };
            let told = event.event.as_ref().expect("an event");
            assert_eq!(
                (event.id, told.position, told.stream.as_str()),
                (Some(7), 7, "listener-1")
            );
            assert_eq!((alive.id, &alive.event), (Some(9), &None));
        }
    }

    #[test]
    fn something_else_is_no_stream_of_events() {
        assert_eq!(Frames::default().take(b"id: seven\n"), Err(NoFrames));
        assert_eq!(Frames::default().take(b"data: <html>\n"), Err(NoFrames));
    }
}
