use super::*;
use proptest::prelude::*;

fn read_back(text: &str) -> Result<Vec<String>, String> {
    ports(text).map(|list| list.iter().map(port_text).collect())
}

#[test]
fn ports_are_read() {
    for (text, expected) in [
        ("8080:80", "8080:80/tcp"),
        ("127.0.0.1:8080:80/udp", "127.0.0.1:8080:80/udp"),
        ("[::1]:8080:80", "[::1]:8080:80/tcp"),
        ("0.0.0.0:1:65535", "0.0.0.0:1:65535/tcp"),
        (":8080:80", "8080:80/tcp"),
    ] {
        assert_eq!(read_back(text), Ok(vec![expected.to_owned()]), "{text}");
    }
    assert_eq!(
        read_back("8000-8001:9000-9001"),
        Ok(vec!["8000:9000/tcp".to_owned(), "8001:9001/tcp".to_owned()])
    );
}

#[test]
fn ports_that_cannot_be_are_refused() {
    for bad in [
        "",
        "80",
        ":80",
        "127.0.0.1::80",
        "127.0.0.1:80",
        "[::1]:80",
        "::1:80:80",
        "0:80",
        "80:0",
        "65536:80",
        "80:80/sctp",
        "80:80/",
        "a:80",
        "+1:80",
        "80-70:80-90",
        "80-90:80",
        "1:2:3:4",
        "[127.0.0.1]:80:80",
        "80:",
        "[::1:80:80",
        "-:80",
    ] {
        assert!(ports(bad).is_err(), "{bad:?} was taken");
    }
    assert_eq!(ports("80").unwrap_err(), NEEDS_HOST_PORT);
}

#[test]
fn volumes_of_the_host_are_read() {
    let (got, unused) = volume("/srv/www:/var/www:ro,z").unwrap();
    let expected = Volume { source: "/srv/www".into(), target: "/var/www".into(), read_only: true };
    assert_eq!((got, unused), (expected, vec!["z: no SELinux label is set".to_owned()]));
    assert!(!volume("/a:/b").unwrap().0.read_only);
}

#[test]
fn volumes_that_cannot_be_are_refused() {
    for (bad, part) in [
        ("", "without a source"),
        ("/data", "without a source"),
        (":/data", "SOURCE:TARGET"),
        ("data:/data", "named volumes are not there yet"),
        ("data.volume:/data", "named volumes are not there yet"),
        ("./data:/data", "relative"),
        ("/a:b", "does not begin with /"),
        ("/a:/b/../c", ".."),
        ("/a:/", "the root"),
        ("/a:/b:noexec", "\"noexec\" is not there yet"),
    ] {
        let message = volume(bad).unwrap_err();
        assert!(message.contains(part), "{bad:?}: {message}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_a_parser_panic(text in ".{0,30}|[0-9a-f:./\\[\\]-]{0,24}") {
        let _ = (ports(&text), volume(&text));
    }

    #[test]
    fn a_port_reads_back(host in 1u16.., container in 1u16.., udp: bool, v6: bool, any: bool) {
        let ip = if v6 { "2001:db8::1".parse().unwrap() } else { "192.0.2.1".parse().unwrap() };
        let port = Port { host_ip: (!any).then_some(ip), host, container, udp };
        prop_assert_eq!(ports(&port_text(&port)), Ok(vec![port]));
    }
}
