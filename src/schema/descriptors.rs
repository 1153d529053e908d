//! The descriptors of everything that the server serves: its own schema, health and reflection.
//!
//! Must not know who asks for descriptors.

use crate::schema::proto::DESCRIPTORS;
use prost_reflect::{DescriptorError, DescriptorPool, FileDescriptor};
use std::sync::LazyLock;

/// All descriptors. The encoded sets are constants, and a test decodes them.
pub(crate) static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| read().unwrap_or_default());

fn read() -> Result<DescriptorPool, DescriptorError> {
    let mut pool = DescriptorPool::decode(DESCRIPTORS)?;
    for set in [
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
    ] {
        pool.decode_file_descriptor_set(set)?;
    }
    Ok(pool)
}

/// Returns the file that declares the message, enum, service, extension, field, oneof, method or enum value with this
/// full name.
pub(crate) fn file_with(symbol: &str) -> Option<FileDescriptor> {
    let declared = POOL.get_message_by_name(symbol).map(|found| found.parent_file());
    let declared = declared.or_else(|| Some(POOL.get_enum_by_name(symbol)?.parent_file()));
    let declared = declared.or_else(|| Some(POOL.get_service_by_name(symbol)?.parent_file()));
    let declared = declared.or_else(|| Some(POOL.get_extension_by_name(symbol)?.parent_file()));
    declared.or_else(|| file_with_member(symbol)).or_else(|| file_with_enum_value(symbol))
}

fn file_with_member(symbol: &str) -> Option<FileDescriptor> {
    let (parent, name) = symbol.rsplit_once('.')?;
    if let Some(service) = POOL.get_service_by_name(parent) {
        return service.methods().any(|method| method.name() == name).then(|| service.parent_file());
    }
    let message = POOL.get_message_by_name(parent)?;
    let is_member = message.get_field_by_name(name).is_some() || message.oneofs().any(|oneof| oneof.name() == name);
    is_member.then(|| message.parent_file())
}

/// An enum value belongs to the scope around its enum: `package.VALUE`, and not `package.Enum.VALUE`.
fn file_with_enum_value(symbol: &str) -> Option<FileDescriptor> {
    let declares = POOL.all_enums().find(|found| found.values().any(|value| value.full_name() == symbol))?;
    Some(declares.parent_file())
}

#[cfg(test)]
mod tests {
    use super::{DESCRIPTORS, POOL, file_with, read};
    use prost::Message;
    use prost_types::FileDescriptorSet;

    #[test]
    fn all_descriptor_sets_are_valid() {
        assert!(read().is_ok(), "{:?}", read().err());
    }

    #[test]
    fn files_keep_all_their_declarations() {
        for file in FileDescriptorSet::decode(DESCRIPTORS).unwrap().file {
            let kept = POOL.get_file_by_name(file.name()).unwrap().encode_to_vec();
            assert_eq!(prost_types::FileDescriptorProto::decode(kept.as_slice()).unwrap(), file, "{}", file.name());
        }
    }

    #[test]
    fn symbols_of_every_kind_lead_to_their_files() {
        let (red_lines, errors) = ("detente/v1/red_line_service.proto", "detente/v1/error_reason.proto");
        for (symbol, file) in [
            ("detente.v1.RedLineService", Some(red_lines)),
            ("detente.v1.RedLineService.EvaluateProposal", Some(red_lines)),
            ("detente.v1.RedLineService.Nothing", None),
            ("detente.v1.ErrorReason", Some(errors)),
            ("detente.v1.ERROR_REASON_INTERNAL", Some(errors)),
            ("detente.v1.ErrorReason.ERROR_REASON_INTERNAL", None),
            ("grpc.health.v1.HealthCheckResponse.SERVING", Some("health.proto")),
            ("grpc.health.v1.HealthCheckRequest.service", Some("health.proto")),
            ("grpc.reflection.v1.ServerReflectionRequest.message_request", Some("reflection_v1.proto")),
            ("detente.v1", None),
            ("", None),
            (".", None),
        ] {
            let found = file_with(symbol);
            assert_eq!(found.as_ref().map(|found| found.name()), file, "{symbol}");
        }
    }
}
