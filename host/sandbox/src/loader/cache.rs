//! Compiled code, kept between starts. The one place of the project with `unsafe`: wasmtime runs what it is given back
//! without looking at it. Attack stopped here: code slipped into the cache. So the folder is made for the owner alone; a
//! folder or file of another user, or one that others may write, is not used; and each file carries the hash of what was
//! written, which also tells a file that a crash cut short.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

/// Bytes of the hash at the head of a file.
const HASH: usize = 32;

/// A folder of compiled components. Never a reason to fail: what cannot be read is compiled again.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
    owner: u32,
}

impl Cache {
    /// Opens or makes the folder. `None`, with a line of log, when it is not ours alone.
    pub(crate) fn open(folder: PathBuf) -> Option<Self> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        let probe = folder.join(format!(".probe-{}", std::process::id()));
        // Who we are, by what a file of ours says.
        let owner = made.and_then(|()| write(&probe, &[b"x"])).and_then(|()| fs::symlink_metadata(&probe)).map(|m| m.uid());
        let _ = fs::remove_file(&probe);
        let stands = fs::symlink_metadata(&folder);
        match (owner, stands) {
            (Ok(owner), Ok(found)) if found.is_dir() && found.uid() == owner && found.mode() & 0o077 == 0 => {
                Some(Self { folder, owner })
            }
            (Ok(_), Ok(_)) => {
                tracing::warn!(folder = %folder.display(), "compiled plugins are not kept: the folder must belong to this user alone (chmod 700)");
                None
            }
            (Err(error), _) | (_, Err(error)) => {
                tracing::warn!(folder = %folder.display(), %error, "compiled plugins are not kept");
                None
            }
        }
    }

    /// The compiled form of what `key` names, if it was kept and is whole.
    pub(crate) fn get(&self, engine: &Engine, key: &str) -> Option<Component> {
        let path = self.path(key);
        // Not through a link, and the same file that is then read.
        if !fs::symlink_metadata(&path).ok()?.is_file() {
            return None;
        }
        let mut file = fs::File::open(&path).ok()?;
        let found = file.metadata().ok()?;
        if !found.is_file() || found.uid() != self.owner || found.mode() & 0o077 != 0 {
            tracing::warn!(file = %path.display(), "a compiled plugin is not used: others could have written it");
            return None;
        }
        let mut stored = Vec::new();
        file.read_to_end(&mut stored).ok()?;
        let (hash, code) = stored.split_at_checked(HASH)?;
        if Sha256::digest(code).as_slice() != hash {
            let _ = fs::remove_file(&path);
            return None;
        }
        load(engine, code)
    }

    /// Keeps a compiled form.
    pub(crate) fn put(&self, key: &str, code: &[u8]) {
        let path = self.path(key);
        let fresh = path.with_extension(format!("new-{}", std::process::id()));
        let kept = write(&fresh, &[Sha256::digest(code).as_slice(), code]).and_then(|()| fs::rename(&fresh, &path));
        if let Err(error) = kept {
            let _ = fs::remove_file(&fresh);
            tracing::warn!(file = %path.display(), %error, "a compiled plugin was not kept");
        }
    }

    fn path(&self, key: &str) -> PathBuf {
        self.folder.join(key).with_extension("compiled")
    }
}

/// Writes a file that only the owner can read.
fn write(path: &std::path::Path, parts: &[&[u8]]) -> std::io::Result<()> {
    let _ = fs::remove_file(path);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    for part in parts {
        file.write_all(part)?;
    }
    Ok(())
}

#[expect(unsafe_code, reason = "wasmtime cannot know where compiled code comes from; the caller has seen that we wrote it")]
pub(crate) fn load(engine: &Engine, code: &[u8]) -> Option<Component> {
    // SAFETY: `code` comes from `compile`, this program's own process or its child, or was written by `put` from such code: the
    // file belongs to this user, nobody else may write it, and its hash is right. wasmtime itself refuses code of another
    // version, configuration or processor.
    unsafe { Component::deserialize(engine, code) }.ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    #[test]
    fn keeps_code_and_refuses_what_others_could_have_written() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("a/cache");
        let cache = Cache::open(folder.clone()).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
        let engine = crate::engine::engine(2, 1 << 20, &crate::engine::Computing::default()).unwrap();
        assert!(cache.get(&engine, "k").is_none());
        cache.put("k", &engine.precompile_component(EMPTY).unwrap());
        assert!(cache.get(&engine, "k").is_some());

        let file = folder.join("k.compiled");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o620)).unwrap();
        assert!(cache.get(&engine, "k").is_none());
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(cache.get(&engine, "k").is_some());

        let link = folder.join("l.compiled");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert!(cache.get(&engine, "l").is_none());

        let mut bytes = fs::read(&file).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        fs::write(&file, &bytes).unwrap();
        assert!(cache.get(&engine, "k").is_none());
        assert!(!file.exists());

        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(Cache::open(folder).is_none());
    }
}
