//! Where the node is: data folder, hosts, token and certificates, each from its option, its environment
//! variable or its default.
//!
//! Separate from the client, which is given the result and reads no file and no variable.

use crate::args::Global;
use crate::exit::{Exit, Failure, Outcome};
use crate::node_commands;
use reqwest::{Certificate, Url};
use std::fs;
use std::path::{Path, PathBuf};

/// The port meant where a host is given without one.
pub(crate) const PORT: u16 = 8443;

/// Everything needed to talk to a node.
#[derive(Debug)]
pub(crate) struct Place {
    /// The nodes, in the order in which they are tried; at least one.
    pub(crate) hosts: Vec<Url>,
    /// The access token, and where it came from.
    pub(crate) token: Result<String, String>,
    /// Certificates that nodes may be vouched for by.
    pub(crate) trusted: Vec<Certificate>,
}

impl Place {
    /// What the options, the environment and the data folder say.
    ///
    /// # Errors
    /// `Usage` for a host that is no URL or would show the token to the network; what the system says for a
    /// file that was named and cannot be read.
    pub(crate) fn find(global: &Global) -> Outcome<Self> {
        let data = data_folder(global);
        let hosts = if global.host.is_empty() {
            vec![node_commands::own_host(&data)?]
        } else {
            global.host.iter().map(|text| host(text)).collect::<Outcome<_>>()?
        };
        Ok(Self { hosts, token: token(global, &data)?, trusted: trusted(global, &data)? })
    }
}

/// The data folder: as said, else the system's if there is one, else the user's own.
pub(crate) fn data_folder(global: &Global) -> PathBuf {
    let system = Path::new("/var/lib/steadfast");
    match &global.data {
        Some(folder) => folder.clone(),
        None if system.is_dir() => system.to_owned(),
        None => own_data_folder(),
    }
}

/// As the XDG Base Directory Specification 0.8 says.
fn own_data_folder() -> PathBuf {
    let from = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    from("XDG_DATA_HOME")
        .or_else(|| from("HOME").map(|home| home.join(".local/share")))
        .unwrap_or_else(|| PathBuf::from("/var/lib"))
        .join("steadfast")
}

/// Reads a host: a URL, or a name with or without a port, which means HTTPS.
pub(crate) fn host(text: &str) -> Outcome<Url> {
    let wrong = |why: &str| Failure::new(Exit::Usage, format!("--host {text}: {why}"));
    let whole = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let mut url = Url::parse(&whole).map_err(|error| wrong(&error.to_string()))?;
    if !url.username().is_empty() || url.query().is_some() || url.password().is_some() {
        return Err(wrong("write only scheme, host and port, such as https://alerts.example.org:8443"));
    }
    match url.scheme() {
        "https" => (),
        "http" if is_loopback(&url) => (),
        "http" => return Err(wrong("plain HTTP would show the token to the network; use https")),
        other => return Err(wrong(&format!("{other} is not a scheme we speak; use https"))),
    }
    if !text.contains("://") && url.port().is_none() {
        url.set_port(Some(PORT)).map_err(|()| wrong("it has no host"))?;
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    let name = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The token; or, where there is none, why, for the case that the node asks for it.
fn token(global: &Global, data: &Path) -> Outcome<Result<String, String>> {
    let file = match &global.token {
        Some(text) if text.starts_with("sf_") => return Ok(Ok(text.clone())),
        Some(text) => PathBuf::from(text),
        None => data.join("admin.token"),
    };
    match fs::read_to_string(&file) {
        Ok(text) => Ok(Ok(text.trim().to_owned())),
        Err(error) if global.token.is_some() => Err(Failure::file(&file, &error)),
        Err(error) => Ok(Err(format!("{}: {error}; give --token or STEADFAST_TOKEN", file.display()))),
    }
}

fn trusted(global: &Global, data: &Path) -> Outcome<Vec<Certificate>> {
    let own = data.join("tls/ca.pem");
    if let Some(file) = &global.ca {
        return certificates(file);
    }
    // A certificate of the system that cannot be read is no reason not to reach a node.
    let system = rustls_native_certs::load_native_certs().certs;
    let mut all: Vec<_> = system.iter().filter_map(|der| Certificate::from_der(der).ok()).collect();
    if own.exists() {
        all.extend(certificates(&own)?);
    }
    Ok(all)
}

fn certificates(file: &Path) -> Outcome<Vec<Certificate>> {
    let pem = fs::read(file).map_err(|error| Failure::file(file, &error))?;
    let none = || Failure::failed(format!("{}: there is no certificate in it", file.display()));
    let found = Certificate::from_pem_bundle(&pem).map_err(|_| none())?;
    if found.is_empty() { Err(none()) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_may_be_short() {
        let check = |text: &str, expect: &str| assert_eq!(host(text).unwrap().as_str(), expect, "{text}");
        check("alerts.example.org", "https://alerts.example.org:8443/");
        check("alerts.example.org:9000", "https://alerts.example.org:9000/");
        check("https://alerts.example.org", "https://alerts.example.org/");
        check("http://127.0.0.1:8080", "http://127.0.0.1:8080/");
        check("http://[::1]:8080", "http://[::1]:8080/");
        check("http://localhost:1", "http://localhost:1/");
    }

    #[test]
    fn a_host_that_would_leak_the_token_or_is_none_is_refused() {
        for (text, part) in [
            ("http://alerts.example.org", "plain HTTP would show the token"),
            ("ftp://x", "ftp is not a scheme we speak"),
            ("https://user@x", "write only scheme, host and port"),
            ("https://", "empty host"),
        ] {
            let failure = host(text).unwrap_err();
            assert_eq!(failure.exit, Exit::Usage, "{text}");
            assert!(failure.text.contains(part), "{text}: {failure}");
        }
    }

    #[test]
    fn a_token_is_given_itself_or_as_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("t");
        fs::write(&file, "sf_x_y\n").unwrap();
        let given = |text: &str| Global { token: Some(text.to_owned()), ..Global::default() };
        assert_eq!(token(&given("sf_a_b"), folder.path()).unwrap(), Ok("sf_a_b".into()));
        assert_eq!(token(&given(file.to_str().unwrap()), folder.path()).unwrap(), Ok("sf_x_y".into()));
        assert_eq!(token(&given("/none/x"), folder.path()).unwrap_err().exit, Exit::NotFound);
        let none = token(&Global::default(), folder.path()).unwrap().unwrap_err();
        assert!(none.contains("admin.token"), "{none}");
    }
}
