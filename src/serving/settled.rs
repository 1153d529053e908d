//! Reads files that another program may be writing at the same time, until they stop changing.
//!
//! The first half of a file may itself be a valid file, but must not be used: half of a scenario lacks red lines, and
//! half of a file of tokens lacks callers. Must not know what the files contain.

use std::thread::sleep;
use std::time::Duration;

/// The SHA-256 hash of the content of one file, or of files that are used together.
pub type ContentHash = [u8; 32];

/// The result of reading a file, or files that are used together, once.
#[derive(Debug)]
pub enum Reading<T> {
    /// The content is the same as at the previous reload, so there is nothing to do.
    Known,
    /// The result is used at once, without a second reading.
    Final(T),
    /// The result is used only if the next reading has the same hash; the hash is `None` if the file cannot be read.
    Unsettled(Option<ContentHash>, T),
}

/// How often a changed file is read again. If it still changes after that, it is left to the next reload.
#[derive(Clone, Copy, Debug)]
pub struct SettleTime {
    /// Pause before each further reading.
    pub pause: Duration,
    /// Maximum number of further readings.
    pub readings: usize,
}

/// Reads each of `files` until two readings in a row agree, and passes each result except [`Reading::Known`] to
/// `settled`, before another file is read.
///
/// All files share each pause. Files that keep changing have no result; the next reload reads them again.
pub fn read_settled<F, T>(
    files: impl IntoIterator<Item = F>,
    time: SettleTime,
    read: impl Fn(&F) -> Reading<T>,
    mut settled: impl FnMut(F, T),
) {
    let mut waiting = Vec::new();
    for file in files {
        match read(&file) {
            Reading::Known => {}
            Reading::Final(content) => settled(file, content),
            Reading::Unsettled(hash, _) => waiting.push((file, hash)),
        }
    }
    for _ in 0..time.readings {
        if waiting.is_empty() {
            break;
        }
        sleep(time.pause);
        let mut changing = Vec::new();
        for (file, before) in waiting {
            match read(&file) {
                Reading::Known => {}
                Reading::Final(content) => settled(file, content),
                Reading::Unsettled(after, content) if after == before => settled(file, content),
                Reading::Unsettled(after, _) => changing.push((file, after)),
            }
        }
        waiting = changing;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::collections::VecDeque;

    /// Reads one file, each time with the next of `readings` as the result. Returns what settled, and how many of the
    /// readings were not used.
    fn read(readings: Vec<Reading<&'static str>>) -> (Vec<(u8, &'static str)>, usize) {
        let readings = RefCell::new(VecDeque::from(readings));
        let time = SettleTime { pause: Duration::ZERO, readings: 3 };
        let mut settled = Vec::new();
        read_settled(
            [0u8],
            time,
            |_| readings.borrow_mut().pop_front().unwrap(),
            |file, content| settled.push((file, content)),
        );
        (settled, readings.into_inner().len())
    }

    fn unsettled(hash: u8) -> Reading<&'static str> {
        Reading::Unsettled(Some([hash; 32]), "content")
    }

    #[test]
    fn a_file_settles_when_two_readings_in_a_row_agree() {
        assert_eq!(read(vec![unsettled(1), unsettled(1)]), (vec![(0, "content")], 0));
        assert_eq!(read(vec![unsettled(1), unsettled(2), unsettled(2)]), (vec![(0, "content")], 0));
        assert_eq!(read(vec![unsettled(1), unsettled(2), unsettled(1), unsettled(3)]), (vec![], 0));
        let missing = || Reading::Unsettled(None, "missing");
        assert_eq!(read(vec![missing(), missing()]), (vec![(0, "missing")], 0));
        assert_eq!(read(vec![missing(), unsettled(1), unsettled(1)]), (vec![(0, "content")], 0));
    }

    #[test]
    fn known_content_is_left_out_and_a_final_result_needs_no_second_reading() {
        assert_eq!(read(vec![Reading::Known, unsettled(1)]), (vec![], 1));
        assert_eq!(read(vec![unsettled(1), Reading::Known]), (vec![], 0));
        assert_eq!(read(vec![Reading::Final("error"), unsettled(1)]), (vec![(0, "error")], 1));
        assert_eq!(read(vec![unsettled(1), Reading::Final("error")]), (vec![(0, "error")], 0));
    }
}
