//! What this machine gives the process: open files and addresses.

use headwater_conf::{Conf, Host};
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{AddressFamily, SockaddrLike};

/// Files the process needs besides its clients' sockets; see [`Conf::check_host`].
const RESERVED_FILES: u64 = 129;

/// A media server needs a descriptor for each connection: takes all that the system allows.
pub(crate) fn raise_open_files() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).ok(); // the limit stays as it was, and -t says what it lacks
    }
}

/// The machine's side of the rules that depend on it. What cannot be told leaves its rule out.
pub(crate) fn host() -> Host {
    let open_files = getrlimit(Resource::RLIMIT_NOFILE).ok().map(|(soft, _)| soft);
    Host { open_files, local_addresses: local_addresses().filter(|count| *count > 0) }
}

/// Connections that fit into the limit of open files, for a configuration in which nobody chose a number. Returns what
/// was changed.
pub(crate) fn fit(conf: &mut Conf, host: &Host) -> Option<String> {
    let most = u32::try_from(host.open_files?.saturating_sub(RESERVED_FILES)).ok()?;
    if most == 0 || conf.max_connections <= most {
        return None;
    }
    conf.max_connections = most;
    Some(format!(
        "max_connections is {most}, all that the limit of open files allows; raise it, as with 'ulimit -n 65536'"
    ))
}

/// Addresses of interfaces that are up and lead to a network; without any, those of the loopback.
fn local_addresses() -> Option<usize> {
    let running = InterfaceFlags::IFF_UP | InterfaceFlags::IFF_RUNNING;
    let flags: Vec<_> = getifaddrs()
        .ok()?
        .filter(|interface| interface.flags.contains(running))
        .filter_map(|interface| Some((interface.flags, interface.address?.family()?)))
        .collect();
    let loopback = |flags: &InterfaceFlags| flags.contains(InterfaceFlags::IFF_LOOPBACK);
    let counts = |(flags, family): &(InterfaceFlags, AddressFamily)| match family {
        AddressFamily::Inet => !flags.contains(InterfaceFlags::IFF_POINTOPOINT),
        AddressFamily::Inet6 => {
            !flags.intersects(InterfaceFlags::IFF_POINTOPOINT | InterfaceFlags::IFF_PROMISC)
        }
        _ => false,
    };
    let outward = flags.iter().filter(|entry| counts(entry) && !loopback(&entry.0)).count();
    let inward =
        flags.iter().filter(|(flags, family)| *family == AddressFamily::Inet && loopback(flags)).count();
    Some(if outward > 0 { outward } else { inward })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unchosen_connections_fit_into_the_open_files() {
        let with = |limit| {
            let (mut conf, host) = (Conf::embedded(), Host { open_files: limit, local_addresses: None });
            let told = fit(&mut conf, &host);
            (conf.check_host(&host).is_ok(), conf.max_connections, told.is_some())
        };
        assert_eq!(with(Some(1024)), (true, 895, true));
        assert_eq!(with(Some(10_128)), (true, 9_999, true));
        assert_eq!(with(Some(10_129)), (true, 10_000, false));
        assert_eq!(with(Some(u64::MAX)), (true, 10_000, false));
        assert_eq!(with(None), (true, 10_000, false));
        assert_eq!(with(Some(100)), (false, 10_000, false), "too few for anything");
    }

    #[test]
    fn this_machine_has_an_address_and_files() {
        let host = host();
        assert!(host.open_files.is_some_and(|limit| limit > 0));
        assert_ne!(host.local_addresses, Some(0));
    }
}
