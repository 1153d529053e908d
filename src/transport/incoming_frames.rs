//! How much of what a client sends are frames, and how much is data.
//!
//! Data is bounded by the windows of HTTP/2. Everything else is not, and what h2 makes of it can take much more memory
//! than its bytes. Must not know what frames mean.

/// Bytes with which a client begins a connection, before its first frame.
const PREFACE_BYTES: usize = 24;
/// Bytes before the payload of a frame: its length in three bytes, its type, and further fields.
const HEADER_BYTES: usize = 9;
/// The type of frames that carry data.
const DATA: u8 = 0;

/// Where in the frames of a connection its client is.
#[derive(Debug)]
pub(super) struct IncomingFrames {
    /// The header of the current frame, as far as it has arrived.
    header: [u8; HEADER_BYTES],
    arrived: usize,
    /// Bytes of the payload that have not arrived, or of the preface.
    left: usize,
    is_data: bool,
}

impl Default for IncomingFrames {
    fn default() -> Self {
        Self { header: [0; HEADER_BYTES], arrived: 0, left: PREFACE_BYTES, is_data: false }
    }
}

impl IncomingFrames {
    /// Takes bytes from the beginning of `bytes`, of which at most `most` may be other than data; returns the number of
    /// bytes taken, and the number of those that are not data.
    pub(super) fn take(&mut self, bytes: &[u8], most: usize) -> (usize, usize) {
        let (mut taken, mut counted) = (0, 0);
        while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
            if self.left > 0 {
                let payload = self.left.min(rest.len());
                let payload = if self.is_data { payload } else { payload.min(most - counted) };
                if payload == 0 {
                    break;
                }
                self.left -= payload;
                taken += payload;
                counted += if self.is_data { 0 } else { payload };
                continue;
            }
            if counted == most {
                break;
            }
            let (Some(place), Some(byte)) = (self.header.get_mut(self.arrived), rest.first()) else { break };
            *place = *byte;
            self.arrived += 1;
            taken += 1;
            counted += 1;
            if self.arrived == HEADER_BYTES {
                let [high, middle, low, kind, ..] = self.header;
                self.left = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
                (self.is_data, self.arrived) = (kind == DATA, 0);
            }
        }
        (taken, counted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, length: u8) -> Vec<u8> {
        [&[0, 0, length, kind, 0, 0, 0, 0, 1][..], &vec![7; usize::from(length)]].concat()
    }

    #[test]
    fn everything_but_data_is_counted_however_it_arrives() {
        let sent = [vec![0; PREFACE_BYTES], frame(4, 6), frame(1, 20), frame(DATA, 200), frame(DATA, 0), frame(1, 3)];
        let sent = sent.concat();
        let no_data = sent.len() - 200;
        for part in 1..=sent.len() {
            for most in [1, 2, 9, 30, 1_000] {
                let (mut frames, mut at, mut all) = (IncomingFrames::default(), 0, 0);
                while at < sent.len() {
                    let arrived = &sent[at..(at + part).min(sent.len())];
                    let (taken, counted) = frames.take(arrived, most);
                    assert!(taken > 0 && taken <= arrived.len() && counted <= most.min(taken));
                    (at, all) = (at + taken, all + counted);
                }
                assert_eq!(all, no_data, "in parts of {part}, {most} at most");
            }
        }
    }

    #[test]
    fn data_is_taken_at_once_and_the_frame_after_it_waits() {
        let mut frames = IncomingFrames::default();
        assert_eq!(frames.take(&[0; PREFACE_BYTES], 100), (PREFACE_BYTES, PREFACE_BYTES));
        let sent = [frame(DATA, 250), frame(1, 10)].concat();
        assert_eq!(frames.take(&sent, 9), (9 + 250, 9));
        assert_eq!(frames.take(&sent[259..], 0), (0, 0));
        assert_eq!(frames.take(&sent[259..], 12), (12, 12));
    }
}
