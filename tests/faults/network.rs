//! A network of its own, whose link can be cut: what is sent gets lost, and nobody is told. Needs root.

use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::process::Command;

/// Removed with this value.
pub struct Network {
    name: String,
}

impl Network {
    pub fn new() -> Self {
        let network = Self {
            name: format!("df{}", std::process::id()),
        };
        let (name, near, far) = (&network.name, network.near(), network.far());
        ip(&format!("netns add {name}"));
        ip(&format!(
            "link add {near} type veth peer name {far} netns {name}"
        ));
        ip(&format!("addr add {}/24 dev {near}", near_address()));
        ip(&format!("link set {near} up"));
        ip(&format!(
            "-n {name} addr add {}/24 dev {far}",
            far_address()
        ));
        ip(&format!("-n {name} link set {far} up"));
        network
    }

    /// Runs this in there; what it connects stays in there.
    #[allow(unsafe_code)]
    pub fn inside<T: Send>(&self, what: impl FnOnce() -> T + Send) -> T {
        let space = File::open(format!("/run/netns/{}", self.name)).expect("it was made");
        let inside = move || {
            // SAFETY: no memory is touched; the thread ends with what it runs.
            let entered = unsafe { libc::setns(space.as_raw_fd(), libc::CLONE_NEWNET) };
            assert_eq!(entered, 0, "{}", std::io::Error::last_os_error());
            what()
        };
        std::thread::scope(|scope| scope.spawn(inside).join().expect("it does not panic"))
    }

    /// From the far end: the near one keeps its address.
    pub fn cut(&self) {
        ip(&format!("-n {} link set {} down", self.name, self.far()));
    }

    /// What is still on its way, on either side, comes now.
    pub fn mend(&self) {
        ip(&format!("-n {} link set {} up", self.name, self.far()));
    }

    fn near(&self) -> String {
        format!("{}a", self.name)
    }

    fn far(&self) -> String {
        format!("{}b", self.name)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for words in [
            format!("link del {}", self.near()),
            format!("netns del {}", self.name),
        ] {
            let _ = Command::new("ip").args(words.split(' ')).status();
        }
    }
}

/// Where a daemon listens for who is in there. Each process of these tests has its own, of what is set aside for tests of networks (RFC 2544).
pub fn near_address() -> Ipv4Addr {
    let [.., low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(198, 18, low, 1)
}

fn far_address() -> Ipv4Addr {
    let [a, b, c, _] = near_address().octets();
    Ipv4Addr::new(a, b, c, 2)
}

fn ip(words: &str) {
    let output = Command::new("ip")
        .args(words.split(' '))
        .output()
        .expect("iproute2 is there");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "ip {words} (it needs root): {told}"
    );
}
