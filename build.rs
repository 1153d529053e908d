//! Compiles the protobuf schema in `proto/` to Rust types and services, and to the complete descriptor set, which
//! reflection and the conversion to JSON use. Protox is a compiler written in Rust, so a build does not need protoc.

use prost_types::field_descriptor_proto::Type;
use prost_types::{DescriptorProto, FileDescriptorSet, MethodDescriptorProto};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, error::Error, fs, io};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let mut files = Vec::new();
    collect(Path::new("proto"), &mut files)?;
    files.sort();

    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).include_source_info(true).open_files(&files)?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), compiler.encode_file_descriptor_set())?;

    // Generate code only for the files whose types the program uses. The other files need no code: only their
    // descriptors are used.
    let mut generated = compiler.file_descriptor_set();
    generated.file.retain(|file| {
        matches!(file.package(), "detente.v1" | "google.type") || file.name().ends_with("/timestamp.proto")
    });
    tonic_prost_build::configure()
        .build_server(false)
        .extern_path(".google.rpc", "tonic_types::pb")
        .include_file("schema.rs")
        .compile_fds(generated.clone())?;

    fs::write(out.join("weighed.rs"), weighed(&generated)?)?;

    // The server can send a cached evaluation that is already encoded. The response that contains it has its own type
    // in the server, and the server has its own codec.
    let server = out.join("server");
    fs::create_dir_all(&server)?;
    tonic_prost_build::configure()
        .build_client(false)
        .extern_path(".detente.v1", "crate::schema::proto::v1")
        .extern_path(".google.type", "crate::schema::proto")
        .extern_path(".detente.v1.EvaluateProposalResponse", "crate::schema::encoded::EvaluateProposalResponse")
        .extern_path(
            ".detente.v1.BatchEvaluateProposalsResponse",
            "crate::schema::encoded::Encoded<crate::schema::proto::v1::BatchEvaluateProposalsResponse>",
        )
        .extern_path(
            ".detente.v1.FindPackagesResponse",
            "crate::schema::encoded::Encoded<crate::schema::proto::v1::FindPackagesResponse>",
        )
        .extern_path(
            ".detente.v1.CompareProposalsResponse",
            "crate::schema::encoded::Encoded<crate::schema::proto::v1::CompareProposalsResponse>",
        )
        .extern_path(
            ".detente.v1.EvaluateHistoryResponse",
            "crate::schema::encoded::Encoded<crate::schema::proto::v1::EvaluateHistoryResponse>",
        )
        .extern_path(
            ".detente.v1.SuggestAmendmentsResponse",
            "crate::schema::encoded::Encoded<crate::schema::proto::v1::SuggestAmendmentsResponse>",
        )
        .extern_path(
            ".detente.v1.ExplainImpasseResponse",
            "crate::schema::encoded::Encoded<crate::schema::proto::v1::ExplainImpasseResponse>",
        )
        .extern_path(
            ".detente.v1.AssessRobustnessResponse",
            "crate::schema::encoded::Encoded<crate::schema::proto::v1::AssessRobustnessResponse>",
        )
        .codec_path("crate::middleware::codec::SmallBuffers")
        .out_dir(server)
        .compile_fds(generated)?;
    Ok(())
}

/// Returns code that lists the in-memory sizes of all messages that a request may contain, and that gives each request
/// type its place in the list.
fn weighed(files: &FileDescriptorSet) -> Result<String, Box<dyn Error>> {
    let messages: BTreeMap<String, &DescriptorProto> = files
        .file
        .iter()
        .flat_map(|file| {
            file.message_type.iter().map(|message| (format!(".{}.{}", file.package(), message.name()), message))
        })
        .collect();
    let methods = || files.file.iter().flat_map(|file| &file.service).flat_map(|service| &service.method);
    let requests: BTreeSet<&str> = methods().map(MethodDescriptorProto::input_type).collect();
    let streamed: BTreeSet<&str> =
        methods().filter(|method| method.client_streaming()).map(MethodDescriptorProto::input_type).collect();
    let (mut within, mut unread) = (BTreeSet::new(), requests.iter().copied().collect::<Vec<_>>());
    while let Some(name) = unread.pop() {
        if within.insert(name) {
            let message =
                messages.get(name).ok_or_else(|| format!("{name} is not a top-level message with Rust code"))?;
            unread.extend(
                message.field.iter().filter(|field| field.r#type() == Type::Message).map(|field| field.type_name()),
            );
        }
    }
    let path = |name: &str| match name.strip_prefix(".detente.v1.") {
        Some(message) => Ok(format!("crate::schema::proto::v1::{message}")),
        None if name == ".google.type.Date" => Ok("crate::schema::proto::Date".to_owned()),
        None => Err(format!("the Rust type of {name} is unknown")),
    };
    let (mut sizes, mut places) = (String::new(), String::new());
    for (place, name) in within.iter().enumerate() {
        let (path, full_name) = (path(name)?, name.trim_start_matches('.'));
        writeln!(sizes, "    (\"{full_name}\", size_of::<{path}>()),")?;
        if requests.contains(name) {
            let is_streamed = streamed.contains(name);
            let parts = messages.get(*name).map(|message| parts(name, message)).transpose()?.flatten();
            writeln!(places, "impl Weighed for {path} {{")?;
            writeln!(places, "    const PLACE: usize = {place};\n    const IS_STREAMED: bool = {is_streamed};")?;
            writeln!(places, "    const PARTS: Option<(u32, usize)> = {parts:?};\n}}")?;
        }
    }
    Ok(format!("const SIZES: [(&str, usize); {}] = [\n{sizes}];\n{places}", within.len()))
}

/// Returns the number of the field whose elements each pay the quota of a request, and the most elements that the
/// method permits.
fn parts(name: &str, message: &DescriptorProto) -> Result<Option<(i32, usize)>, Box<dyn Error>> {
    let (field, most) = match name {
        ".detente.v1.BatchEvaluateProposalsRequest" => ("requests", 1_000),
        ".detente.v1.CompareProposalsRequest" => ("proposals", 50),
        _ => return Ok(None),
    };
    let found = message.field.iter().find(|of_message| of_message.name() == field);
    Ok(Some((found.ok_or_else(|| format!("{name} has no field {field}"))?.number(), most)))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    Ok(())
}
