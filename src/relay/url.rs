//! Where a relay is: scheme, host and port, parsed once at the edge. A token goes to the URL that it was issued for, so
//! two URLs of one relay have to be one text.
//!
//! The parser is the one of the client that connects: what was checked here is what is reached there.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// Bytes that a URL may have at most, as somebody writes it.
const LONGEST: usize = 1024;

/// A relay's origin: `https://relay.example.com`, with the port where it is not the scheme's own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RelayUrl {
    origin: Box<str>,
    host: Box<str>,
    port: u16,
    is_https: bool,
    is_loopback: bool,
}

/// Why a text is no relay's URL. None of them repeats the text: a password may stand in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    /// No URL at all.
    #[error("it is no URL: {0}")]
    Malformed(&'static str),
    /// Another scheme than `https` and `http`.
    #[error("a relay's URL begins with https:// or http://")]
    Scheme,
    /// `https://user:password@host`.
    #[error("a relay's URL has no user and no password in it")]
    Credentials,
    /// A path, a query or a fragment.
    #[error("a relay's URL ends after host and port, and this one has a {0}")]
    NotAnOrigin(&'static str),
}

/// A URL on which others can read along.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not https, so that everybody on the way could read the mail and take the tokens")]
pub struct NotSecure(pub RelayUrl);

impl RelayUrl {
    /// The whole URL of one of the relay's routes; `path` begins with `/`, and is what we wrote.
    #[must_use]
    pub fn route(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// The origin, without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.origin
    }

    /// The host: a name in lower case, or an address, an IPv6 one without its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, the scheme's own where none was written.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether it speaks TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.is_https
    }

    /// Whether it is this machine by its literal address, or `localhost`.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.is_loopback
    }

    /// Whether nobody on the way can read along.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.is_https || self.is_loopback
    }

    /// Refuses what others can read, unless the user said that they may.
    ///
    /// # Errors
    /// For `http` beyond loopback.
    pub fn check_secure(&self, is_insecure_allowed: bool) -> Result<(), NotSecure> {
        if self.is_secure() || is_insecure_allowed { Ok(()) } else { Err(NotSecure(self.clone())) }
    }
}

impl FromStr for RelayUrl {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        if text.len() > LONGEST {
            return Err(InvalidUrl::Malformed("it is too long"));
        }
        // The parser would drop line ends and turn backslashes round, and look at something else than its reader.
        if !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
            return Err(InvalidUrl::Malformed("it has spaces, control or other strange characters in it"));
        }
        let is_of =
            |scheme: &str| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
        if !is_of("https://") && !is_of("http://") {
            return Err(InvalidUrl::Scheme);
        }
        let url = Url::parse(text).map_err(|_| InvalidUrl::Malformed("it has no host, or a strange port"))?;
        if !url.username().is_empty() || url.password().is_some() || text.contains('@') {
            return Err(InvalidUrl::Credentials);
        }
        for (part, is_there) in [
            ("query", url.query().is_some()),
            ("fragment", url.fragment().is_some()),
            ("path", url.path() != "/"),
        ] {
            if is_there {
                return Err(InvalidUrl::NotAnOrigin(part));
            }
        }
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default().filter(|port| *port != 0))
        else {
            return Err(InvalidUrl::Malformed("it has no host, or a strange port"));
        };
        // The parser lets through what a shell would run, and a host stands in commands that we print.
        if let Host::Domain(name) = host
            && !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
        {
            return Err(InvalidUrl::Malformed("its host has strange characters in it"));
        }
        let is_loopback = match host {
            Host::Domain(name) => name == "localhost",
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
        };
        let host = match host {
            Host::Ipv6(address) => address.to_string(),
            other => other.to_string(),
        };
        Ok(Self {
            origin: url.origin().ascii_serialization().into(),
            host: host.into(),
            port,
            is_https: url.scheme() == "https",
            is_loopback,
        })
    }
}

impl InvalidUrl {
    /// What such a URL looks like.
    #[must_use]
    pub fn example() -> &'static str {
        "https://relay.example.com"
    }
}

impl fmt::Display for RelayUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.origin)
    }
}

impl TryFrom<String> for RelayUrl {
    type Error = InvalidUrl;

    fn try_from(text: String) -> Result<Self, InvalidUrl> {
        text.parse()
    }
}

impl From<RelayUrl> for String {
    fn from(url: RelayUrl) -> Self {
        url.origin.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<RelayUrl, InvalidUrl> {
        text.parse()
    }

    #[test]
    fn one_relay_has_one_text() {
        for (text, origin, host, port) in [
            ("https://relay.example.com", "https://relay.example.com", "relay.example.com", 443),
            ("HTTPS://Relay.Example.com:443/", "https://relay.example.com", "relay.example.com", 443),
            ("https://relay.example.com:8443", "https://relay.example.com:8443", "relay.example.com", 8443),
            ("http://[::1]:7777", "http://[::1]:7777", "::1", 7777),
            ("http://127.1:80/", "http://127.0.0.1", "127.0.0.1", 80),
        ] {
            let url = parse(text).unwrap();
            assert_eq!((url.as_str(), url.host(), url.port()), (origin, host, port), "{text}");
            assert_eq!(parse(url.as_str()), Ok(url.clone()), "{text}");
            assert_eq!(url.route("/v1/health"), format!("{origin}/v1/health"));
        }
    }

    #[test]
    fn a_host_is_nothing_that_a_shell_would_run() {
        for host in ["x;id;.example.com", "$(id)", "`id`", "a'b", "a&b", "a*b", "x{a,b}", "(id)", "a!b", "~x"]
        {
            assert!(parse(&format!("https://{host}")).is_err(), "{host}");
        }
        assert_eq!(parse("https://a-b_1.example").unwrap().host(), "a-b_1.example");
    }

    #[test]
    fn only_tls_and_this_machine_are_secure() {
        for (text, is_loopback, is_secure) in [
            ("https://relay.example.com", false, true),
            ("http://relay.example.com", false, false),
            ("http://localhost:1", true, true),
            ("http://localhost.example.com", false, false),
            ("http://127.9.9.9", true, true),
            ("http://0x7f000001", true, true),
            ("http://[::1]", true, true),
            ("http://[::ffff:127.0.0.1]", false, false),
            ("http://10.0.0.1", false, false),
            ("http://0.0.0.0", false, false),
        ] {
            let url = parse(text).unwrap();
            assert_eq!((url.is_loopback(), url.is_secure()), (is_loopback, is_secure), "{text}");
            assert_eq!(url.check_secure(false).is_ok(), is_secure);
            assert_eq!(url.check_secure(true), Ok(()));
        }
    }

    #[test]
    fn what_is_more_or_less_than_an_origin_is_refused_and_not_repeated() {
        let long = format!("https://{}", "a".repeat(1024));
        for text in [
            "",
            "relay.example.com",
            "ftp://relay.example.com",
            "file:///etc/passwd",
            "https://",
            "https:///",
            "https://user:hunter2@relay.example.com",
            "https://hunter2@relay.example.com",
            "https://@relay.example.com",
            "https://relay.example.com/hunter2",
            "https://relay.example.com?hunter2",
            "https://relay.example.com#hunter2",
            "https://relay.example.com:0",
            "https://relay.example.com:99999",
            "https://relay\n.example.com",
            "https://relay.example.com\\hunter2",
            "https://relay.example.com /",
            " https://relay.example.com",
            "https://réseau.example.com",
            "https://relay.exam\u{1b}[2Jple.com",
            &long,
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(!error.contains("hunter2") && error.len() < 100, "{text}: {error}");
        }
    }
}
