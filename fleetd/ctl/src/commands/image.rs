//! `image import|pull|list|rm`.

use super::{Context, print, print_json};
use crate::archive;
use crate::cli::{Image as Command, TableFlags};
use crate::client::{self, Body};
use crate::failure::Failure;
use crate::table::{self, Column, View};
use crate::{progress, terminal, text};
use fleetd_api::{Image, Pull};
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Bytes, Frame};
use indicatif::ProgressBar;
use std::fs::File;
use std::io::{self, BufRead, BufWriter, IsTerminal, Read, Write};
use std::path::Path;
use tokio::sync::mpsc;

/// One piece of an upload.
const CHUNK: usize = 256 * 1024;

pub(super) async fn run(context: &Context, command: &Command) -> Result<u8, Failure> {
    match command {
        Command::Import { path, name } => import(context, path, name.as_deref()).await?,
        Command::Pull { reference, insecure, username } => {
            let pull = Pull {
                reference: reference.clone(),
                insecure: *insecure,
                username: username.clone(),
                password: None,
            };
            let pull = self::pull(context, pull);
            match username.is_some() && io::stdin().is_terminal() {
                true => terminal::unless_interrupted(pull).await?,
                false => pull.await?,
            }
        }
        Command::List(flags) => list(context, flags).await?,
        Command::Rm { images } => {
            for image in images {
                let path = format!("/v1/images/{}", client::encode(image));
                let _: serde_json::Value = context.client.delete(&path).await?;
                if !context.json {
                    print(&format!("{image} removed\n"))?;
                }
            }
            if context.json {
                print_json(images)?;
            }
        }
    }
    Ok(0)
}

async fn pull(context: &Context, mut pull: Pull) -> Result<(), Failure> {
    if pull.username.is_some() {
        pull.password = Some(password().await?);
    }
    let bar = progress::bytes(format!("pull {}", pull.reference), context.json);
    let image = context.client.slow("/v1/images/pull", client::json(&pull)?).await;
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    here(context, &image?)
}

/// Typed or from standard input, so that it is in no list of processes and no history.
async fn password() -> Result<String, Failure> {
    if io::stdin().is_terminal() {
        return terminal::hidden("password").await;
    }
    let mut line = String::new();
    let mut input = io::stdin().lock().take(64 * 1024);
    input.read_line(&mut line).map_err(|error| Failure::io("read the password", &error))?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

async fn import(context: &Context, path: &Path, name: Option<&str>) -> Result<(), Failure> {
    let told = |error: &io::Error| Failure::io(format!("read {}", path.display()), error);
    let metadata = std::fs::metadata(path).map_err(|error| told(&error))?;
    let file = if metadata.is_dir() {
        None
    } else {
        Some(File::open(path).map_err(|error| told(&error))?)
    };
    let name = match name {
        Some(name) => Some(name.to_owned()),
        // An archive or a layout may name its image itself; a plain directory cannot.
        None if metadata.is_dir() && !path.join("oci-layout").exists() => own_name(path),
        None => None,
    };
    let query = name.map(|name| format!("?name={}", client::encode(&name))).unwrap_or_default();
    let bar = progress::bytes(format!("import {}", path.display()), context.json);
    let (sender, receiver) = mpsc::channel(4);
    let sink = Sink { sender, bar: bar.clone() };
    let source = path.to_owned();
    let sending = tokio::task::spawn_blocking(move || send(sink, &source, file));
    let answer = context.client.slow(&format!("/v1/images{query}"), body(receiver)).await;
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let sent = sending.await.unwrap_or_else(|_| Err(Failure::new("send the image: it panicked")));
    match (answer, sent) {
        // A file that could not be read cuts the upload: that is the cause then. A broken pipe
        // means that the daemon closed, and it has said why.
        (Err(_), Err(cause)) if !cause.message.ends_with("broken pipe") => Err(cause),
        (answer, _) => here(context, &answer?),
    }
}

fn own_name(path: &Path) -> Option<String> {
    let named = path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    let current =
        || std::env::current_dir().ok()?.join(path).file_name()?.to_str().map(str::to_owned);
    named.or_else(current)
}

/// Runs on a thread of its own: files are read as they are sent.
fn send(sink: Sink, path: &Path, file: Option<File>) -> Result<(), Failure> {
    let sender = sink.sender.clone();
    let mut out = BufWriter::with_capacity(CHUNK, sink);
    let told = |error: io::Error| Failure::io(format!("send {}", path.display()), &error);
    let result = match file {
        Some(mut file) => io::copy(&mut file, &mut out).map(drop).map_err(told),
        None => archive::write(path, &mut out),
    };
    let result = result.and_then(|()| out.flush().map_err(told));
    if result.is_err() {
        // An upload must not look complete when it is not.
        let _ = sender.blocking_send(Err(io::Error::other("the upload was cut")));
    }
    result
}

/// A writer whose bytes are the request's body.
struct Sink {
    sender: mpsc::Sender<io::Result<Bytes>>,
    bar: Option<ProgressBar>,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = Bytes::copy_from_slice(bytes);
        let closed = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        self.sender.blocking_send(Ok(piece)).map_err(closed)?;
        if let Some(bar) = &self.bar {
            bar.inc(bytes.len() as u64);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn body(mut receiver: mpsc::Receiver<io::Result<Bytes>>) -> Body {
    let pieces = stream::poll_fn(move |context| {
        receiver.poll_recv(context).map(|piece| piece.map(|bytes| bytes.map(Frame::data)))
    });
    Body::Stream(StreamBody::new(pieces).boxed())
}

fn here(context: &Context, image: &Image) -> Result<(), Failure> {
    if context.json {
        return print_json(image);
    }
    let name = image.names.first().map_or(image.digest.as_str(), String::as_str);
    let layers = if image.layers == 1 { "layer" } else { "layers" };
    let size = text::size(image.size);
    print(&format!("{} is here: {size}, {} {layers}\n", text::plain(name), image.layers))
}

/// A name of an image, and the image.
type Row = (String, Image);

const COLUMNS: &[Column<Row>] = &[
    Column { name: "image", cell: |row, _| row.0.clone() },
    Column { name: "digest", cell: |row, view| digest(&row.1.digest, view) },
    Column { name: "size", cell: |row, _| text::size(row.1.size) },
    Column { name: "layers", cell: |row, _| row.1.layers.to_string() },
    Column { name: "imported", cell: |row, _| text::ago(row.1.imported, text::now()) },
    Column { name: "used", cell: |row, _| row.1.used_by.join(",") },
    Column { name: "machines", cell: |row, view| machines(&row.1.machines, view) },
];

const DEFAULT: &[&str] = &["image", "digest", "size", "imported", "used"];

fn machines(ids: &[String], view: &View) -> String {
    let short = ids.iter().map(|id| view.short(id, 8, "..."));
    short.collect::<Vec<_>>().join(",")
}

fn digest(digest: &str, view: &View) -> String {
    match digest.split_once(':') {
        Some((_, hex)) if !view.full => view.short(hex, 12, ""),
        _ => digest.to_owned(),
    }
}

async fn list(context: &Context, flags: &TableFlags) -> Result<(), Failure> {
    let images: Vec<Image> = context.client.get("/v1/images").await?;
    if context.json {
        return print_json(&images);
    }
    let mut rows: Vec<Row> = Vec::new();
    for image in images {
        match image.names.as_slice() {
            [] => rows.push(("-".to_owned(), image)),
            names => rows.extend(names.iter().map(|name| (name.clone(), image.clone()))),
        }
    }
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    let view = View { full: flags.full, machines: &[] };
    print(&table::render(COLUMNS, DEFAULT, &rows, flags, &view)?)
}
