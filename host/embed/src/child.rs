//! The child's side: it reads the model once, and then answers each wish with a vector, until its host closes the socket.

use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;

use pointsman_core::failure::{Class, Failure};
use rustix::process::{Resource, Rlimit, nice, setrlimit};

use crate::file::ModelFile;
use crate::model::Model;
use crate::wire::{self, Said, Wish};

/// How far it stands back where the processors have other things to do.
const MODEST: i32 = 5;

/// Answers over the socket that is this process's standard input. From its first line on it has so many bytes of memory, and can write
/// no file.
#[must_use]
pub fn serve(file: &Path, digest: &str, memory: u64) -> ExitCode {
    match answer(&ModelFile { path: file.to_owned(), digest: digest.to_owned() }, memory) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_gone) => ExitCode::FAILURE,
    }
}

fn answer(file: &ModelFile, memory: u64) -> io::Result<()> {
    let mut host = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let ready = confine(memory).and_then(|()| Model::read(file.open()?));
    let model = match ready {
        Ok(model) => model,
        Err(failure) => return wire::write(&mut host, &Said::from(failure)),
    };
    wire::write(&mut host, &Said::Ready)?;
    while let Some(Wish { kind, text }) = wire::read(&mut host)? {
        wire::write(&mut host, &Said::Vector(model.embed(kind, &text)))?;
    }
    Ok(())
}

/// `Data` counts private memory that can be written, whatever is reserved.
fn confine(memory: u64) -> Result<(), Failure> {
    let limits = [(Resource::Data, memory), (Resource::Fsize, 0), (Resource::Nofile, 16), (Resource::Core, 0)];
    let limited = limits
        .into_iter()
        .try_for_each(|(resource, most)| setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) }));
    // It may stand further back than it was started already.
    limited.and_then(|()| nice(MODEST).map(drop)).map_err(|e| {
        let text = format!("the process that makes vectors cannot be bounded: {e}");
        Failure::new(Class::Transient, "vectors.unbounded", text)
    })
}
