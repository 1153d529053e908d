//! The weight of a request: the memory that its message takes, computed from the encoded bytes before they are decoded.
//!
//! prost bounds the nesting of a message, but not its memory: an empty message in a list takes two bytes on the wire,
//! and hundreds in memory, so a request of 1 MiB could take 330 MB. A request that is too heavy is therefore rejected
//! before anything of it is decoded.
//!
//! The weight counts each element of a list with the size of its Rust type, lists with the capacity to which they have
//! grown, and texts with their length. It is an upper bound of what prost allocates while it decodes the message. Must
//! not know what messages mean.

use crate::schema::proto::DESCRIPTORS;
use prost::DecodeError;
use prost::encoding::{DecodeContext, WireType, decode_varint, skip_field};
use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor};
use std::sync::LazyLock;

/// A request message, whose weight can be computed.
pub trait Weighed {
    /// The place of the message in the list of all messages that requests contain.
    const PLACE: usize;
    /// Whether a call may have several of these messages.
    const IS_STREAMED: bool;
    /// The number of the field whose elements each pay the quota of a request, and the most elements that the method
    /// permits; `None` if a message pays for one.
    const PARTS: Option<(u32, usize)>;
}

include!(concat!(env!("OUT_DIR"), "/weighed.rs"));

/// Nesting at which prost refuses to decode a message.
const MAX_DEPTH: usize = 100;
/// Memory that the allocator takes for a short text, in bytes.
const SMALLEST_ALLOCATION: usize = 16;

/// Why a message was not weighed to its end.
enum Stop {
    /// The message is heavier than allowed.
    Heavy,
    /// The bytes are no valid message. prost stops here, too, and reports the fault.
    Invalid,
}

impl From<DecodeError> for Stop {
    fn from(_: DecodeError) -> Self {
        Stop::Invalid
    }
}

/// How much memory the fields of a message take.
struct Shape {
    /// Size of the message itself, in bytes.
    size: usize,
    /// The fields by number; `None` for numbers without a field.
    fields: Vec<Option<Field>>,
}

/// What one occurrence of a field adds to the size of its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    /// Nothing: the value is a part of its message.
    Scalar,
    /// An element of a list of numbers of this size, in bytes.
    Scalars(usize),
    /// A text, or bytes.
    Text,
    /// An element of a list of texts.
    Texts,
    /// What the message at this place contains. The message is a part of the message around it.
    Message(usize),
    /// A message at this place, in an allocation of its own.
    Boxed(usize),
    /// An element of a list of messages.
    Messages(usize),
}

static SHAPES: LazyLock<Vec<Shape>> = LazyLock::new(|| {
    let pool = DescriptorPool::decode(DESCRIPTORS).unwrap_or_default();
    let shape = |(name, size): &(&str, usize)| {
        let fields = pool.get_message_by_name(name).map(|message| fields(&message)).unwrap_or_default();
        Shape { size: *size, fields }
    };
    SIZES.iter().map(shape).collect()
});

fn fields(message: &MessageDescriptor) -> Vec<Option<Field>> {
    let last = message.fields().map(|field| field.number()).max().unwrap_or_default();
    (0..=last).map(|number| Some(field(message, &message.get_field(number)?))).collect()
}

fn field(message: &MessageDescriptor, field: &FieldDescriptor) -> Field {
    match (field.kind(), field.is_list()) {
        (Kind::Message(inner), is_list) => {
            // A message without a place would be a map entry or in another package; its name is in no request.
            let place = SIZES.iter().position(|(name, _)| *name == inner.full_name()).unwrap_or(usize::MAX);
            match is_list {
                true => Field::Messages(place),
                false if contains(&inner, message, &mut Vec::new()) => Field::Boxed(place),
                false => Field::Message(place),
            }
        }
        (Kind::String | Kind::Bytes, true) => Field::Texts,
        (Kind::String | Kind::Bytes, false) => Field::Text,
        (Kind::Bool, true) => Field::Scalars(1),
        (Kind::Double | Kind::Int64 | Kind::Uint64 | Kind::Sint64 | Kind::Fixed64 | Kind::Sfixed64, true) => {
            Field::Scalars(8)
        }
        (_, true) => Field::Scalars(4),
        (_, false) => Field::Scalar,
    }
}

/// Whether a message contains another one, directly or not. prost puts such a message in a box of its own.
fn contains(message: &MessageDescriptor, sought: &MessageDescriptor, seen: &mut Vec<MessageDescriptor>) -> bool {
    if message == sought {
        return true;
    }
    if seen.contains(message) {
        return false;
    }
    seen.push(message.clone());
    message.fields().any(|field| match field.kind() {
        Kind::Message(inner) => contains(&inner, sought, seen),
        _ => false,
    })
}

/// Returns the weight of an encoded message in bytes; `None` if it is more than `limit`.
///
/// Bytes that are no valid message are weighed up to the first fault, beyond which prost does not decode them either.
pub fn weigh<M: Weighed>(encoded: &[u8], limit: usize) -> Option<usize> {
    let mut scale = Scale { shapes: &SHAPES, weight: 0, limit };
    let weighed = scale.shape(M::PLACE).and_then(|shape| {
        scale.add(shape.size)?;
        scale.message(shape, encoded, 0)
    });
    match weighed {
        Err(Stop::Heavy) => None,
        Ok(()) | Err(Stop::Invalid) => Some(scale.weight),
    }
}

/// Returns how many elements an encoded message has in the list at [`Weighed::PARTS`]; `None` if it has no such list, or
/// if there are more than the method permits.
///
/// Bytes that are no valid message are read up to the first fault.
pub fn count_parts<M: Weighed>(mut encoded: &[u8]) -> Option<usize> {
    let (parts, most) = M::PARTS?;
    let mut next = || -> Result<bool, Stop> {
        let key = varint(&mut encoded)?;
        let number = u32::try_from(key >> 3).map_err(|_| Stop::Invalid)?;
        match WireType::try_from(key & 7)? {
            WireType::LengthDelimited => {
                let length = usize::try_from(varint(&mut encoded)?).map_err(|_| Stop::Invalid)?;
                encoded = encoded.get(length..).ok_or(Stop::Invalid)?;
                Ok(number == parts)
            }
            wire => skip(wire, number, &mut encoded).map(|()| false).map_err(Stop::from),
        }
    };
    let mut count = 0;
    while count <= most
        && let Ok(is_part) = next()
    {
        count += usize::from(is_part);
    }
    Some(count).filter(|count| *count <= most)
}

struct Scale<'a> {
    shapes: &'a [Shape],
    weight: usize,
    limit: usize,
}

impl<'a> Scale<'a> {
    fn shape(&self, place: usize) -> Result<&'a Shape, Stop> {
        // A message without a shape cannot be weighed, so it counts as too heavy.
        self.shapes.get(place).ok_or(Stop::Heavy)
    }

    fn add(&mut self, bytes: usize) -> Result<(), Stop> {
        self.weight = self.weight.saturating_add(bytes);
        if self.weight > self.limit { Err(Stop::Heavy) } else { Ok(()) }
    }

    fn text(&mut self, length: usize) -> Result<(), Stop> {
        match length {
            0 => Ok(()),
            _ => self.add(length.max(SMALLEST_ALLOCATION)),
        }
    }

    /// Adds the fields of a message.
    fn message(&mut self, shape: &Shape, mut encoded: &[u8], depth: usize) -> Result<(), Stop> {
        if depth > MAX_DEPTH {
            return Err(Stop::Invalid);
        }
        let mut list = List { number: 0, elements: 0 };
        while !encoded.is_empty() {
            let key = varint(&mut encoded)?;
            let number = u32::try_from(key >> 3).map_err(|_| Stop::Invalid)?;
            let field = usize::try_from(number).ok().and_then(|number| *shape.fields.get(number)?);
            let wire = WireType::try_from(key & 7)?;
            if wire != WireType::LengthDelimited {
                skip(wire, number, &mut encoded)?;
                match field {
                    None | Some(Field::Scalar) => continue,
                    Some(Field::Scalars(size)) => {
                        self.add(list.push(number) * size)?;
                        continue;
                    }
                    Some(_) => return Err(Stop::Invalid),
                }
            }
            let length = usize::try_from(varint(&mut encoded)?).map_err(|_| Stop::Invalid)?;
            let (content, rest) = encoded.split_at_checked(length).ok_or(Stop::Invalid)?;
            encoded = rest;
            let Some(field) = field else { continue };
            match field {
                Field::Scalar => {}
                // Each packed number takes at least one byte.
                Field::Scalars(size) => self.add(length.saturating_mul(2 * size) + 4 * size)?,
                Field::Text => self.text(length)?,
                Field::Texts => {
                    self.add(list.push(number) * size_of::<String>())?;
                    self.text(length)?;
                }
                Field::Message(place) => self.message(self.shape(place)?, content, depth + 1)?,
                Field::Boxed(place) => {
                    let inner = self.shape(place)?;
                    self.add(inner.size)?;
                    self.message(inner, content, depth + 1)?;
                }
                Field::Messages(place) => {
                    let inner = self.shape(place)?;
                    self.add(list.push(number) * inner.size)?;
                    self.message(inner, content, depth + 1)?;
                }
            }
        }
        Ok(())
    }
}

/// Reads a number. Most numbers in a request have one byte, so these are read here.
#[inline]
fn varint(encoded: &mut &[u8]) -> Result<u64, DecodeError> {
    match **encoded {
        [byte, ref rest @ ..] if byte < 0x80 => {
            *encoded = rest;
            Ok(u64::from(byte))
        }
        _ => decode_varint(encoded),
    }
}

/// Skips a value that has no length before it.
fn skip(wire: WireType, number: u32, encoded: &mut &[u8]) -> Result<(), DecodeError> {
    match wire {
        WireType::Varint => varint(encoded).map(drop),
        _ => skip_field(wire, number, encoded, DecodeContext::default()),
    }
}

/// The list whose elements were read last.
///
/// The elements of a list usually follow one another. If other fields are between them, each part counts as a list of
/// its own, which is more than it takes.
struct List {
    number: u32,
    elements: usize,
}

impl List {
    /// Adds an element of the field `number`; returns the number of elements for which the list makes room.
    fn push(&mut self, number: u32) -> usize {
        if self.number != number {
            *self = Self { number, elements: 0 };
        }
        self.elements += 1;
        // A list that grows has room for at most twice its elements, but at least for 4.
        match self.elements {
            1 => 4,
            2 => 0,
            _ => 2,
        }
    }
}

#[cfg(test)]
mod tests;
