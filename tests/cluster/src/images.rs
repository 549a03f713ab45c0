//! Images without a registry: tar files in the form of `docker save`, imported straight into containerd.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use crate::{
    binaries::{self, Program},
    names::hex,
    requirements,
};

/// What the sandboxes of pods run.
pub(crate) const PAUSE: &str = "wi.test/pause:1";

/// An image with a shell and all of busybox; its entry point prints its arguments and waits.
pub const IMAGE_SHELL: &str = "wi.test/shell:1";

/// An image whose only program besides its application is `cat`.
pub const IMAGE_CAT: &str = "wi.test/cat:1";

/// An image of one static program and nothing else, as distroless ones are; it prints its arguments and waits.
pub const IMAGE_APP: &str = "wi.test/app:1";

/// An image to be made.
pub(crate) struct Image {
    pub(crate) name: String,
    /// Path in the image, file on this machine.
    pub(crate) files: Vec<(String, PathBuf)>,
    /// Path in the image, what it points at.
    pub(crate) links: Vec<(String, String)>,
    pub(crate) entry_point: Vec<String>,
    pub(crate) user: String,
}

/// The images that every whole cluster has.
pub(crate) fn standard() -> Result<Vec<Image>> {
    let app = ("app".to_owned(), binaries::path(Program::App)?);
    let busybox = requirements::find("busybox").context("busybox is not installed")?;
    let applets = Command::new(&busybox).arg("--list").output().context("cannot run busybox")?;
    let links = String::from_utf8(applets.stdout)?
        .lines()
        .filter(|&applet| applet != "busybox")
        .map(|applet| (format!("bin/{applet}"), "busybox".to_owned()))
        .collect();
    let image = |name: &str, programs: &[(&str, &Path)]| -> Result<Image> {
        let mut files = vec![app.clone()];
        for (path, program) in programs {
            files.extend(with_libraries(path, program)?);
        }
        let entry_point = vec!["/app".to_owned()];
        Ok(Image { name: name.to_owned(), files, links: Vec::new(), entry_point, user: String::new() })
    };
    Ok(vec![
        image(PAUSE, &[])?,
        image(IMAGE_APP, &[])?,
        image(IMAGE_CAT, &[("bin/cat", &busybox)])?,
        Image { links, ..image(IMAGE_SHELL, &[("bin/busybox", &busybox)])? },
    ])
}

/// A program under its path in an image, and the shared libraries and the loader that it needs.
pub(crate) fn with_libraries(path: &str, program: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut files = vec![(path.to_owned(), program.to_owned())];
    // ldd fails on a static program: there is nothing to list.
    let output = Command::new("ldd").arg(program).output().context("cannot run ldd")?;
    for line in String::from_utf8_lossy(&output.stdout).lines().filter(|_| output.status.success()) {
        // "libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x...)" or "/lib64/ld-linux-x86-64.so.2 (0x...)"
        let place = line.split("=>").last().unwrap_or_default().split('(').next().unwrap_or_default().trim();
        ensure!(place != "not found", "{}: {}", program.display(), line.trim());
        if place.starts_with('/') {
            files.push((place.trim_start_matches('/').to_owned(), PathBuf::from(place)));
        }
    }
    Ok(files)
}

/// Writes the images into one archive.
pub(crate) fn write_archive(images: &[Image], archive: &Path) -> Result<()> {
    let mut outer = Builder::new(File::create(archive)?);
    let mut manifest = Vec::new();
    for (place, image) in images.iter().enumerate() {
        let layer = image.layer().with_context(|| format!("image {}", image.name))?;
        let config = serde_json::to_vec(&image.config(&hex(&Sha256::digest(&layer))))?;
        let (config_name, layer_name) =
            (format!("{}.json", hex(&Sha256::digest(&config))), format!("{place}/layer.tar"));
        append(&mut outer, &layer_name, &layer, 0o644)?;
        append(&mut outer, &config_name, &config, 0o644)?;
        manifest.push(json!({"Config": config_name, "RepoTags": [image.name], "Layers": [layer_name]}));
    }
    append(&mut outer, "manifest.json", &serde_json::to_vec(&manifest)?, 0o644)?;
    outer.into_inner()?.sync_all()?;
    Ok(())
}

impl Image {
    fn layer(&self) -> Result<Vec<u8>> {
        let mut layer = Builder::new(Vec::new());
        for (folder, mode) in [("etc/", 0o755), ("tmp/", 0o1777)] {
            let mut header = header(EntryType::Directory, mode, 0);
            layer.append_data(&mut header, folder, std::io::empty())?;
        }
        append(
            &mut layer,
            "etc/passwd",
            b"root:x:0:0:root:/:/bin/sh\nnonroot:x:65532:65532:nonroot:/:/bin/sh\n",
            0o644,
        )?;
        for (path, source) in &self.files {
            let content = fs::read(source).with_context(|| format!("cannot read {}", source.display()))?;
            append(&mut layer, path, &content, 0o755)?;
        }
        for (path, target) in &self.links {
            layer.append_link(&mut header(EntryType::Symlink, 0o777, 0), path, target)?;
        }
        Ok(layer.into_inner()?)
    }

    fn config(&self, layer_digest: &str) -> Value {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        json!({
            "architecture": architecture,
            "os": "linux",
            "config": {
                "Entrypoint": self.entry_point,
                "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
                "User": self.user,
            },
            "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{layer_digest}")]},
        })
    }
}

fn append(builder: &mut Builder<impl std::io::Write>, path: &str, content: &[u8], mode: u32) -> Result<()> {
    let mut header = header(EntryType::Regular, mode, u64::try_from(content.len())?);
    Ok(builder.append_data(&mut header, path, content)?)
}

fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}
