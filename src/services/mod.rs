//! The handlers of `RedLineService` and `AnalysisService`.
//!
//! A handler converts the request, calls a core crate, and converts the result. The methods of [`RedLines`] can also be
//! called directly, without a connection. Owns page tokens, the maximum sizes of requests and answers, and the
//! record of evaluations for logs and metrics. Must not know how connections are served or how callers are identified.

mod admitted;
mod analysis;
mod answering;
mod batch;
mod compare;
mod context;
mod decision_record;
mod evaluate;
mod generated;
mod history;
mod list;
pub mod page_token;
mod read;
mod record;
mod red_lines;
mod served;
mod size;
mod stream;
mod turn;

pub use analysis::{AnalysisRequest, AnalysisThreads, Analyst, MAX_QUESTION_BYTES, MAX_SWEEP, PackageParts};
pub use batch::MAX_BATCH;
pub use compare::{MAX_COMPARED, MAX_LABEL};
pub use history::MAX_HISTORY_FINDINGS;
pub use record::Record;
pub use red_lines::{RedLines, Streams};
pub(crate) use size::Answer;
pub use size::{MAX_ANSWER_BYTES, MAX_REQUEST_BYTES};
pub use stream::MAX_STREAM_ID_BYTES;
