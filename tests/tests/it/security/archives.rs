//! Case 11 of the corpus: archives in the place of packages. Real ones, made here byte by byte: a gzip file and a zip file of
//! ten megabytes that unpack to ten gigabytes, a tar with a link that leads out and with a path that climbs; and files that claim
//! more than they have. Each is refused with a code, writes nothing, and costs no memory, since a package has nothing in it to
//! unpack.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use flate2::bufread::GzDecoder;
use flate2::{Compress, Compression, Crc, FlushCompress};

use crate::support::parcels::{SMALL, component, manifest, package};
use crate::support::{Site, binary, cache};

/// Zeros that are packed once and repeated: a part ends where the next may begin.
const PART: usize = 4 << 20;
/// Parts of ten gigabytes.
const PARTS: usize = (10 << 30) / PART;
/// Bytes of memory that taking in a file may need, with all that a command needs anyway.
const MEMORY: u64 = 256 << 20;

/// So many parts, packed, and their checksum.
fn packed(parts: usize) -> (Vec<u8>, u32) {
    let (zeros, mut part) = (vec![0; PART], Vec::with_capacity(64 << 10));
    Compress::new(Compression::best(), false).compress_vec(&zeros, &mut part, FlushCompress::Full).unwrap();
    let (mut one, mut crc) = (Crc::new(), Crc::new());
    one.update(&zeros);
    (0..parts).for_each(|_| crc.combine(&one));
    // An empty last block.
    ([part.repeat(parts), vec![3, 0]].concat(), crc.sum())
}

fn gzip(parts: usize) -> Vec<u8> {
    let (packed, crc) = packed(parts);
    let size = (parts * PART) as u32;
    [&b"\x1f\x8b\x08\0\0\0\0\0\0\x03"[..], &packed, &crc.to_le_bytes(), &size.to_le_bytes()].concat()
}

/// One entry, larger than the old form of the format can say.
fn zip(name: &str, parts: usize) -> Vec<u8> {
    let (packed, crc) = packed(parts);
    let (size, small) = ((parts * PART) as u64, packed.len() as u32);
    let short = |n: usize| (n as u16).to_le_bytes();
    // Both sizes, the real one in the extra field.
    let head = [&[45, 0, 0, 0, 8, 0, 0, 0, 0, 0][..], &crc.to_le_bytes(), &[0xff; 8], &short(name.len()), &short(20)].concat();
    let extra = [&[1, 0, 16, 0][..], &size.to_le_bytes(), &u64::from(small).to_le_bytes()].concat();
    let local = [b"PK\x03\x04", head.as_slice(), name.as_bytes(), &extra, &packed].concat();
    let directory = [b"PK\x01\x02\x2d\0", head.as_slice(), &[0; 14], name.as_bytes(), &extra].concat();
    let (from, length) = ((local.len() as u32).to_le_bytes(), (directory.len() as u32).to_le_bytes());
    let end = [&b"PK\x05\x06\0\0\0\0\x01\0\x01\0"[..], &length, &from, &[0; 2]].concat();
    [local, directory, end].concat()
}

/// A tar of these entries: name, kind, where a link leads, what a file holds.
fn tar(entries: &[(&str, u8, &str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, kind, link, content) in entries {
        let mut head = vec![0; 512];
        let mut put = |at: usize, bytes: &[u8]| head[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, name.as_bytes());
        put(100, b"0000644\0");
        put(124, format!("{:011o}\0", content.len()).as_bytes());
        put(148, b"        ");
        put(156, &[*kind]);
        put(157, link.as_bytes());
        put(257, b"ustar\x0000");
        let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
        head[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        out.extend(head);
        out.extend_from_slice(content);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    [out, vec![0; 1_024]].concat()
}

/// Runs it to its end; its answer, and the most memory that it had.
fn measured(command: &mut Command) -> (Output, u64) {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (status, mut most) = (format!("/proc/{}/status", child.id()), 0);
    // One that has ended and is not waited for yet has none.
    while let Some(peak) = peak(&fs::read_to_string(&status).unwrap_or_default()) {
        most = most.max(peak);
        std::thread::sleep(Duration::from_millis(1));
    }
    (child.wait_with_output().unwrap(), most)
}

/// The most memory of a process so far.
fn peak(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kib| kib << 10)
}

/// What lies below a folder, but for the passing files of databases.
fn below(folder: &Path) -> BTreeSet<PathBuf> {
    let mut all = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            all.extend(below(&path));
        }
        let name = path.to_string_lossy();
        if !name.ends_with("-wal") && !name.ends_with("-shm") {
            all.insert(path);
        }
    }
    all
}

#[test]
fn the_bombs_are_real() {
    let mut inside = Vec::new();
    GzDecoder::new(gzip(2).as_slice()).read_to_end(&mut inside).expect("its checksum and its length are right");
    assert!(inside.len() == 2 * PART && inside.iter().all(|byte| *byte == 0));
    let (packed, crc) = packed(2);
    assert!(zip("a", 2).windows(4).any(|bytes| bytes == crc.to_le_bytes()) && packed.len() < PART / 400);
    assert!((8 << 20..12 << 20).contains(&gzip(PARTS).len()), "small as a file");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_is_no_package_and_nothing_of_it_is_unpacked() {
    let site = Site::new(&[]).await;
    // The file lies two folders down, so that a path that climbs would be seen.
    let shelf = tempfile::tempdir().unwrap();
    let folder = shelf.path().join("a/b");
    fs::create_dir_all(&folder).unwrap();
    let climbing: [(&str, u8, &str, &[u8]); 3] =
        [("../escaped", b'0', "", b"out"), ("link", b'2', "..", b""), ("link/escaped", b'0', "", b"out")];
    let (gz, tar, text) = (gzip(PARTS), tar(&climbing), manifest("acme/desk", "1.0.0", SMALL));
    let inside = |component: &[u8]| package(text.as_bytes(), component, 7);
    let mut claims = package(text.as_bytes(), &component(b'a'), 7);
    claims[12..20].fill(0xff);
    let cases: [(&str, Vec<u8>, u64, &str); 10] = [
        ("a gzip file of 10 GB", gz.clone(), 0, "package.not_one"),
        ("a zip file of 10 GB", zip("../escaped", PARTS), 0, "package.not_one"),
        ("a tar that climbs", tar.clone(), 0, "package.not_one"),
        ("a gzip file of 10 GB as the code", inside(&gz), 0, "plugin.refused"),
        ("a gzip file of 7 GB as the code", inside(&gzip(PARTS * 7 / 10)), 0, "plugin.invalid"),
        ("a zip file as the code", inside(&zip("../escaped", PARTS * 7 / 10)), 0, "plugin.invalid"),
        ("a tar as the code", inside(&tar), 0, "plugin.invalid"),
        ("a gzip file as the manifest", package(&gzip(8), &component(b'a'), 7), 0, "package.manifest"),
        ("lengths of 4 GiB in a small file", claims.clone(), 0, "package.length"),
        ("the same in a file that has them", claims, 9 << 30, "package.length"),
    ];
    let before = (below(site.dir.path()), site.done(&["plugin", "list"]));
    let (mut most, mut least) = (0, u64::MAX);
    for (name, bytes, size, code) in cases {
        let file = folder.join("thrown.plugin");
        fs::write(&file, &bytes).unwrap();
        if size > 0 {
            // Full of holes: it takes no room on the disk.
            File::options().write(true).open(&file).unwrap().set_len(size).unwrap();
        }
        let mut command = Command::new(binary());
        command.arg("--dir").arg(site.dir.path()).args(["--json", "plugin", "add"]).arg(&file).args(["--grant", "all"]);
        command.env("POINTSMAN_SANDBOX__CACHE", cache()).env("POINTSMAN_SANDBOX__COMPILER", binary()).current_dir(&folder);
        let (output, peak) = measured(&mut command);
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.code() == Some(1) && told.contains(&format!("\"{code}\"")), "{name}: {} {told}", output.status);
        assert!(peak < MEMORY, "{name}: {} MiB", peak >> 20);
        (most, least) = (most.max(peak), least.min(peak));
        fs::remove_file(&file).unwrap();
        assert_eq!(below(shelf.path()), [shelf.path().join("a"), folder.clone()].into(), "{name}: it left something behind");
        assert_eq!((below(site.dir.path()), site.done(&["plugin", "list"])), before, "{name}: something was kept");
    }
    assert!(least > 4 << 20, "the memory was looked at: {least} bytes");
    println!("at most {} MiB, at least {} MiB", most >> 20, least >> 20);
}
