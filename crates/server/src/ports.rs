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
        let owner = match cause.kind() {
            io::ErrorKind::AddrInUse => {
                owner(addr.port()).map(|o| format!(", taken by {o}")).unwrap_or_default()
            }
            io::ErrorKind::PermissionDenied => ", ports below 1024 need privileges".to_owned(),
            _ => String::new(),
        };
        PortError { addr, service, directive, cause, owner }
    }
}

/// The process that listens on a TCP port, as `name (pid N)`.
fn owner(port: u16) -> Option<String> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"].iter().find_map(|table| {
        let text = fs::read_to_string(table).ok()?;
        text.lines().skip(1).find_map(|line| listening_inode(line, port)).map(str::to_owned)
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

/// The inode of a `/proc/net/tcp` line, if it is a socket in state LISTEN (0A) on `port`.
fn listening_inode(line: &str, port: u16) -> Option<&str> {
    let mut fields = line.split_whitespace();
    let local = fields.nth(1)?;
    let state = fields.nth(1)?;
    let inode = fields.nth(5)?;
    let (_, hex) = local.rsplit_once(':')?;
    (state == "0A" && u16::from_str_radix(hex, 16) == Ok(port)).then_some(inode)
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
}
