//! A small file server for the browser tests and `cargo xtask serve`: GET, localhost, right media types.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// Longer than any request line and headers a browser sends.
const REQUEST_LIMIT: u64 = 64 * 1024;

/// Serves a folder for as long as the process lives.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
}

impl Server {
    /// Takes a free port and answers in the background.
    pub(crate) fn start(root: &Path) -> Result<Self> {
        Self::start_at(root, 0)
    }

    /// The same at a port of one's choice.
    pub(crate) fn start_at(root: &Path, port: u16) -> Result<Self> {
        let root = root.canonicalize().with_context(|| format!("cannot serve {}", root.display()))?;
        let listener = TcpListener::bind(("127.0.0.1", port))
            .with_context(|| format!("cannot listen on port {port} of localhost"))?;
        let address = listener.local_addr()?;
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let root = root.clone();
                // A browser that hangs up early is no concern of ours.
                thread::spawn(move || answer(stream, &root).ok());
            }
        });
        Ok(Self { address })
    }

    /// The root's address, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

fn answer(mut stream: TcpStream, root: &Path) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut reader = BufReader::new(stream.try_clone()?.take(REQUEST_LIMIT));
    let mut request = String::new();
    reader.read_line(&mut request)?;
    // The headers change nothing, but closing on unread bytes would reset the connection.
    let mut header = String::new();
    while reader.read_line(&mut header)? > 2 {
        header.clear();
    }

    let mut words = request.split_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if !matches!(method, "GET" | "HEAD") {
        return respond(&mut stream, "405 Method Not Allowed", "text/plain", b"GET only", true);
    }
    let file = resolve(root, target);
    match file.as_deref().map(|path| (path, fs::read(path))) {
        Some((path, Ok(body))) => respond(&mut stream, "200 OK", media_type(path), &body, method == "GET"),
        _ => respond(&mut stream, "404 Not Found", "text/plain", b"not found", method == "GET"),
    }
}

fn respond(
    stream: &mut TcpStream,
    status: &str,
    media_type: &str,
    body: &[u8],
    with_body: bool,
) -> io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n",
        body.len()
    )?;
    if with_body {
        stream.write_all(body)?;
    }
    stream.flush()
}

/// The file a request means; `None` for anything outside the root, hidden, or absent.
fn resolve(root: &Path, target: &str) -> Option<PathBuf> {
    let path = target.split(['?', '#']).next()?;
    let path = percent_decode(path)?;
    let relative = Path::new(path.strip_prefix('/')?);
    let is_plain = |part: Component<'_>| match part {
        Component::Normal(name) => !name.to_string_lossy().starts_with('.'),
        _ => false,
    };
    if !relative.components().all(is_plain) {
        return None;
    }
    let mut file = root.join(relative).canonicalize().ok()?;
    if file.is_dir() {
        file.push("index.html");
    }
    // Links may lead out of the root.
    (file.starts_with(root) && file.is_file()).then_some(file)
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

fn media_type(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()).unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" | "map" => "application/json",
        "wasm" => "application/wasm",
        "txt" | "md" | "csv" | "ts" => "text/plain; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "zip" => "application/zip",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(server: &Server, request: &str) -> String {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8(answer).unwrap()
    }

    fn serve(files: &[(&str, &str)]) -> (tempfile::TempDir, Server) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        for (name, text) in files {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        fs::write(folder.path().join("secret.txt"), "secret").unwrap();
        let server = Server::start(&root).unwrap();
        (folder, server)
    }

    #[test]
    fn a_file_comes_with_its_media_type_and_length() {
        let (_folder, server) = serve(&[("pkg/a b.wasm", "wasm!")]);
        let answer = ask(&server, "GET /pkg/a%20b.wasm?v=1 HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("Content-Type: application/wasm\r\n"), "{answer}");
        assert!(answer.contains("Content-Length: 5\r\n") && answer.ends_with("\r\n\r\nwasm!"), "{answer}");
    }

    #[test]
    fn a_folder_means_its_index() {
        let (_folder, server) = serve(&[("www/index.html", "<p>")]);
        assert!(ask(&server, "GET /www/ HTTP/1.1\r\n\r\n").ends_with("<p>"));
    }

    #[test]
    fn nothing_outside_the_root_or_hidden_is_served() {
        let (_folder, server) = serve(&[(".git/config", "hidden"), ("a.txt", "a")]);
        for target in [
            "/../secret.txt",
            "/%2e%2e/secret.txt",
            "/.git/config",
            "/missing",
            "a.txt",
            "//etc/passwd",
            "/%",
        ] {
            let answer = ask(&server, &format!("GET {target} HTTP/1.1\r\n\r\n"));
            assert!(answer.starts_with("HTTP/1.1 404"), "{target}: {answer}");
        }
        assert!(ask(&server, "POST /a.txt HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405"));
    }
}
