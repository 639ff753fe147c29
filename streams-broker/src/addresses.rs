//! Where the broker listens, and where it tells clients to connect to, which need not be the same.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

/// A listening socket, and its address with its real port.
pub(crate) fn listen(address: &str) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address.to_socket_addrs()?.collect::<Vec<_>>().as_slice())?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// What clients are told, as in Apache Kafka's `advertised.listeners`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Advertised {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Advertised {
    /// The address that is listened on; of one that is all of this machine's, the loopback address, which clients on this
    /// machine reach.
    pub(crate) fn same_as(listening: SocketAddr) -> Self {
        let host = if listening.ip().is_unspecified() {
            "127.0.0.1".to_owned()
        } else {
            listening.ip().to_string()
        };
        Self {
            host,
            port: listening.port(),
        }
    }

    /// `host:port`, where port 0 is the one that is listened on. The error says what is wrong with it.
    pub(crate) fn parse(address: &str, listening: SocketAddr) -> Result<Self, String> {
        let expected = "expected HOST:PORT, as localhost:9092 or [::1]:9092";
        let (host, port) = address.rsplit_once(':').ok_or(expected)?;
        let port = port.parse().map_err(|_| expected)?;
        let in_brackets = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        let host = in_brackets.unwrap_or(host);
        if host.is_empty() || (in_brackets.is_none() && host.contains(':')) {
            return Err(expected.to_owned());
        }
        if host
            .parse()
            .is_ok_and(|ip: std::net::IpAddr| ip.is_unspecified())
        {
            return Err(
                "no client can connect to it: name the address that reaches this machine"
                    .to_owned(),
            );
        }
        Ok(Self {
            host: host.to_owned(),
            port: if port == 0 { listening.port() } else { port },
        })
    }

    /// For clients' `bootstrap.servers`.
    pub(crate) fn server(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// Says who else can connect, and whether those could get any further than that.
pub(crate) fn warn_beyond_loopback(listening: SocketAddr, advertised: &Advertised) {
    if listening.ip().is_loopback() {
        return;
    }
    let told = advertised.server();
    tracing::warn!(
        %listening,
        advertised = told,
        "listening beyond this machine, without any access control"
    );
    if matches!(advertised.host.as_str(), "127.0.0.1" | "::1" | "localhost") {
        tracing::warn!(
            advertised = told,
            "clients on other machines are told an address that is their own: an advertised listener says what reaches \
             this machine"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listening() -> SocketAddr {
        SocketAddr::from(([0, 0, 0, 0], 9092))
    }

    fn told(address: &str) -> Result<String, String> {
        Advertised::parse(address, listening()).map(|advertised| advertised.server())
    }

    #[test]
    fn who_listens_everywhere_is_reached_on_this_machine() {
        let advertised = Advertised::same_as(listening());
        assert_eq!(advertised.server(), "127.0.0.1:9092");
        let one = SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 9092));
        assert_eq!(Advertised::same_as(one).server(), "[::1]:9092");
    }

    #[test]
    fn an_advertised_address_is_a_host_and_a_port() {
        assert_eq!(told("kafka.test:19092").as_deref(), Ok("kafka.test:19092"));
        assert_eq!(told("kafka.test:0").as_deref(), Ok("kafka.test:9092"));
        assert_eq!(told("[fd00::1]:1").as_deref(), Ok("[fd00::1]:1"));
        for (wrong, said) in [
            ("kafka.test", "HOST:PORT"),
            ("kafka.test:many", "HOST:PORT"),
            (":9092", "HOST:PORT"),
            ("fd00::1:9092", "HOST:PORT"),
            ("0.0.0.0:9092", "no client"),
            ("[::]:9092", "no client"),
        ] {
            assert!(
                told(wrong).is_err_and(|error| error.contains(said)),
                "{wrong}"
            );
        }
    }
}
