//! The table of addresses: both IANA special-purpose registries, ways to write an IPv4 address inside an IPv6 one, and
//! public neighbours of every range, which must not be blocked.

use super::*;

fn check(expected: Reach, addresses: &[&str]) {
    for text in addresses {
        let address: IpAddr = text.parse().unwrap_or_else(|_| panic!("{text} is no address"));
        assert_eq!(reach(address), expected, "{text}");
    }
}

#[test]
fn internal_addresses() {
    check(
        Reach::Internal,
        &[
            "10.0.0.0",
            "10.255.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "192.168.255.255",
            "100.64.0.1",
            "100.127.255.254",
            "::1",
            "fc00::1",
            "fd12:3456:789a::1",
            "fdff::1",
        ],
    );
}

#[test]
fn special_addresses() {
    check(
        Reach::Special,
        &[
            // IPv4
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "169.254.0.1",
            "192.0.0.1",
            "192.0.0.8",
            "192.0.0.170",
            "192.0.2.1",
            "192.31.196.1",
            "192.52.193.1",
            "192.88.99.1",
            "192.175.48.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.250",
            "240.0.0.1",
            "255.255.255.255",
            "168.63.129.16",
            "100.100.100.200",
            // IPv6
            "::",
            "::2",
            "::127.0.0.1",
            "::8.8.8.8",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:8.8.8.8",
            "::ffff:0:10.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::1",
            "64:ff9b:1::8.8.8.8",
            "64:ff9b::1:0:0",
            "100::1",
            "100:0:0:1::1",
            "2001::1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
            "2001:1::1",
            "2001:2::1",
            "2001:3::1",
            "2001:4:112::1",
            "2001:10::1",
            "2001:20::1",
            "2001:30::1",
            "2001:1ff::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "2002:808:808::1",
            "2620:4f:8000::1",
            "3fff::1",
            "3fff:fff::1",
            "5f00::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "ff0e::1",
            "4000::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "2606:4700::5efe:127.0.0.1",
            "2606:4700::200:5efe:10.0.0.1",
        ],
    );
}

#[test]
fn public_addresses_pass() {
    check(
        Reach::Global,
        &[
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "31.13.64.51",
            "57.144.0.1",
            "100.63.255.255",
            "100.128.0.1",
            "126.255.255.255",
            "128.0.0.1",
            "157.240.1.1",
            "168.63.129.17",
            "169.253.255.255",
            "169.255.0.1",
            "172.15.255.255",
            "172.32.0.1",
            "191.255.255.255",
            "192.0.1.1",
            "192.0.3.1",
            "192.31.195.1",
            "192.52.194.1",
            "192.88.98.1",
            "192.167.255.255",
            "192.169.0.1",
            "192.175.49.1",
            "198.17.255.255",
            "198.20.0.1",
            "198.51.99.1",
            "198.51.101.1",
            "203.0.112.1",
            "203.0.114.1",
            "223.255.255.255",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2001:db9::1",
            "2003::1",
            "2606:4700:4700::1111",
            "2620:4f:8001::1",
            "2a03:2880:f10c::25de",
            "3ffe::1",
            "3fff:1000::1",
            "64:ff9b::8.8.8.8",
            "2400:cb00::1",
            "2600::1",
            "2800::1",
            "2c00::1",
            "20.0.0.1",
            "149.154.167.220",
            "2001:67c:4e8::1",
            "2606:4700::6810:84e5",
            "2a06:98c0::1",
        ],
    );
}

#[test]
fn one_bad_answer_spoils_all() {
    let to = |text: &str| SocketAddr::new(text.parse().unwrap(), 0);
    assert!(admit(vec![to("8.8.8.8"), to("2606:4700::1")], false).is_ok());
    assert!(admit(vec![to("8.8.8.8"), to("127.0.0.1")], false).is_err());
    assert!(admit(vec![to("10.0.0.1")], false).is_err());
    assert!(admit(vec![to("10.0.0.1")], true).is_ok());
    assert!(admit(vec![to("10.0.0.1"), to("169.254.169.254")], true).is_err());
    assert!(admit(vec![to("::ffff:127.0.0.1")], true).is_err());
}

#[tokio::test]
async fn the_public_resolver_refuses_localhost() {
    let name = || "localhost".parse::<Name>().unwrap();
    let resolver = |internal| CheckedResolver { internal, names: Arc::new(System) };
    let refused = resolver(false).resolve(name()).await.err().unwrap();
    assert!(refused.downcast_ref::<ForbiddenAddress>().is_some());
    assert!(resolver(true).resolve(name()).await.is_ok());
}
