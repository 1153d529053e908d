//! Compiles the protobuf schema in `proto/` to Rust types and services, and to the complete descriptor set, which
//! reflection and the conversion to JSON use. Protox is a compiler written in Rust, so a build does not need protoc.

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

    // The server can send a cached evaluation that is already encoded. The response that contains it has its own type
    // in the server, and the server has its own codec.
    let server = out.join("server");
    fs::create_dir_all(&server)?;
    tonic_prost_build::configure()
        .build_client(false)
        .extern_path(".detente.v1", "crate::schema::proto::v1")
        .extern_path(".google.type", "crate::schema::proto")
        .extern_path(".detente.v1.EvaluateProposalResponse", "crate::schema::encoded::EvaluateProposalResponse")
        .codec_path("crate::schema::codec::SmallBuffers")
        .out_dir(server)
        .compile_fds(generated)?;
    Ok(())
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
