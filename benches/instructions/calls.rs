//! gRPC calls without sockets, tasks or threads: the bytes of a request go to the service as an HTTP body, and the body
//! of the response is read to its trailers.

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use prost::Message;
use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

/// The maximum number of polls of an operation. Some operations yield to other tasks now and then. An operation that is
/// not ready after this many polls waits for an event that never happens here.
const MAX_POLLS: usize = 100_000;

/// Polls a future until it is ready. Panics after [`MAX_POLLS`] polls.
pub(crate) fn finish<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..MAX_POLLS {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
    panic!("the operation waits for an event that never happens here");
}

/// Encodes a message with gRPC's prefix: a zero byte, which means uncompressed, and the length of the message.
pub(crate) fn frame(message: &impl Message) -> Bytes {
    let length = u32::try_from(message.encoded_len()).unwrap();
    let mut framed = vec![0];
    framed.extend(length.to_be_bytes());
    message.encode(&mut framed).unwrap();
    framed.into()
}

pub(crate) fn http_request(path: &'static str, message: Bytes) -> Request<SingleFrame> {
    Request::post(path).header("content-type", "application/grpc").body(SingleFrame(Some(message))).unwrap()
}

/// Runs a call, which must succeed, and reads the body of its response to the end.
pub(crate) fn answer<B: Body<Data = Bytes>>(call: impl Future<Output = Result<Response<B>, Infallible>>)
where
    B::Error: std::fmt::Debug,
{
    let Ok(response) = finish(call);
    let mut body = pin!(response.into_body());
    let mut bytes = 0;
    loop {
        let frame = next_frame(body.as_mut()).expect("the answer ends with trailers");
        match frame.into_data() {
            Ok(data) => bytes += data.len(),
            Err(trailers) => {
                let trailers = trailers.into_trailers().ok().unwrap();
                assert_eq!(trailers.get("grpc-status").unwrap(), "0", "{trailers:?}");
                break;
            }
        }
    }
    // A response that contains red lines is longer than this.
    assert!(bytes > 1_000, "a response of {bytes} bytes is not an answer");
}

/// Returns the data of the next frame.
pub(crate) fn next_data<B: Body<Data = Bytes>>(body: &mut Pin<Box<B>>) -> Bytes
where
    B::Error: std::fmt::Debug,
{
    next_frame(body.as_mut()).unwrap().into_data().expect("data, not trailers")
}

fn next_frame<B: Body<Data = Bytes>>(mut body: Pin<&mut B>) -> Option<Frame<Bytes>>
where
    B::Error: std::fmt::Debug,
{
    finish(std::future::poll_fn(move |context| body.as_mut().poll_frame(context))).map(Result::unwrap)
}

/// A body of one frame.
pub(crate) struct SingleFrame(Option<Bytes>);

impl Body for SingleFrame {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(Frame::data).map(Ok))
    }
}

/// A body that repeats one message without end. Between two messages, it is pending for one poll.
pub(crate) struct Messages {
    message: Bytes,
    is_ready: bool,
}

impl Messages {
    pub(crate) fn new(message: Bytes) -> Self {
        Self { message, is_ready: false }
    }
}

impl Body for Messages {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.is_ready = !self.is_ready;
        if self.is_ready { Poll::Ready(Some(Ok(Frame::data(self.message.clone())))) } else { Poll::Pending }
    }
}
