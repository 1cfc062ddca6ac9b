//! A lock between processes, so that two builds at once take turns instead of writing over each other.

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context as _, Result};

/// Held until dropped; the operating system frees it when the process dies, so no lock is ever left behind.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "holding the open file is what holds the lock")] File);

/// Waits until `path` (made when it is missing) is ours alone.
pub(crate) fn acquire(path: &Path) -> Result<Lock> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .with_context(|| format!("cannot open {}", path.display()))?;
    file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(Lock(file))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[test]
    fn holders_take_turns() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/lock");
        let (inside, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let _held = acquire(&path).unwrap();
                    most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(5));
                    inside.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        assert_eq!(most.into_inner(), 1);
    }
}
