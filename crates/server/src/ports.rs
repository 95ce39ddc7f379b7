use std::fs;
use std::io;
use std::net::SocketAddr;
use thiserror::Error;

/// A port could not be listened on.
#[derive(Debug, Error)]
#[error(
    "cannot listen on {addr} for {service}: {cause}{owner}; set `{directive}` to another port or free this one"
)]
pub struct PortError {
    /// The address.
    pub addr: SocketAddr,
    /// What was to be served there.
    pub service: &'static str,
    /// The directive that chooses it.
    pub directive: &'static str,
    /// The system's words.
    pub cause: io::Error,
    owner: String,
}

impl PortError {
    /// Explains `cause`: who holds the port, when that can be told.
    pub fn new(
        addr: SocketAddr,
        service: &'static str,
        directive: &'static str,
        cause: io::Error,
    ) -> PortError {
        PortError::of(&TCP, addr, service, directive, cause)
    }

    /// The same for a UDP port.
    pub fn udp(
        addr: SocketAddr,
        service: &'static str,
        directive: &'static str,
        cause: io::Error,
    ) -> PortError {
        PortError::of(&UDP, addr, service, directive, cause)
    }

    fn of(
        sockets: &Sockets,
        addr: SocketAddr,
        service: &'static str,
        directive: &'static str,
        cause: io::Error,
    ) -> PortError {
        let owner = match cause.kind() {
            io::ErrorKind::AddrInUse => {
                owner(sockets, addr.port()).map(|o| format!(", taken by {o}")).unwrap_or_default()
            }
            io::ErrorKind::PermissionDenied => ", ports below 1024 need privileges".to_owned(),
            _ => String::new(),
        };
        PortError { addr, service, directive, cause, owner }
    }
}

/// Where the kernel lists sockets, and which state those have that wait for anybody.
struct Sockets {
    tables: [&'static str; 2],
    state: &'static str,
}

const TCP: Sockets = Sockets { tables: ["/proc/net/tcp", "/proc/net/tcp6"], state: "0A" }; // LISTEN
const UDP: Sockets = Sockets { tables: ["/proc/net/udp", "/proc/net/udp6"], state: "07" }; // not connected

/// The process that listens on a port, as `name (pid N)`.
fn owner(sockets: &Sockets, port: u16) -> Option<String> {
    let inode = sockets.tables.iter().find_map(|table| {
        let text = fs::read_to_string(table).ok()?;
        text.lines().skip(1).find_map(|line| listening_inode(line, sockets.state, port)).map(str::to_owned)
    })?;
    let wanted = format!("socket:[{inode}]");
    let pid = fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let holds =
            |fd: fs::DirEntry| fs::read_link(fd.path()).is_ok_and(|to| to.as_os_str() == wanted.as_str());
        fs::read_dir(entry.path().join("fd")).ok()?.flatten().any(holds).then_some(pid)
    })?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(format!("{} (pid {pid})", name.trim()))
}

/// The inode of a line of such a table, if it is a socket in that state on `port`.
fn listening_inode<'a>(line: &'a str, wanted: &str, port: u16) -> Option<&'a str> {
    let mut fields = line.split_whitespace();
    let local = fields.nth(1)?;
    let state = fields.nth(1)?;
    let inode = fields.nth(5)?;
    let (_, hex) = local.rsplit_once(':')?;
    (state == wanted && u16::from_str_radix(hex, 16) == Ok(port)).then_some(inode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_names_its_owner_and_directive() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let error = PortError::new(addr, "RTMP", "listen", io::ErrorKind::AddrInUse.into()).to_string();
        assert!(error.contains(&format!("(pid {})", std::process::id())), "{error}");
        assert!(error.contains("`listen`"), "{error}");
    }

    #[test]
    fn a_taken_udp_port_names_its_owner() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let addr = socket.local_addr().unwrap();
        let error = PortError::udp(addr, "WebRTC", "rtc_server.listen", io::ErrorKind::AddrInUse.into());
        let error = error.to_string();
        assert!(error.contains(&format!("(pid {})", std::process::id())), "{error}");
    }
}
