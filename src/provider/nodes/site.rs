//! Where a node is asked and which machine answers there, to tell two spellings of one node from two nodes. Pure.
//!
//! An address says it only half: a node has an IP address and a host name, and the same private address may be another
//! machine behind another endpoint. The uuid of the firmware says more, but some machines have none and some vendors
//! give the same to all. What is never shared is the id of a boot, which the kernel draws at random; it costs a call, so
//! it is asked for where the uuids raise the question.

use std::net::IpAddr;

/// A node as a resource names it, with what is known of the machine there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Site {
    /// As configured.
    pub(crate) node: String,
    pub(crate) endpoint: Option<String>,
    /// The present boot.
    pub(crate) boot: Option<String>,
    /// The node in one spelling. Here, since a plan of many nodes compares each with each.
    address: String,
    /// The uuid of the firmware, where it is one that tells machines apart.
    machine: Option<String>,
}

/// Whether two sites are one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kin {
    One,
    Two,
    /// Two addresses with the same uuid: the ids of their boots tell.
    Perhaps,
}

impl Site {
    /// Where nothing is known of the machine.
    pub(crate) fn new(node: &str, endpoint: Option<&str>) -> Self {
        let (address, endpoint) = (address(node), endpoint.map(ToOwned::to_owned));
        Self { node: node.to_owned(), endpoint, boot: None, address, machine: None }
    }

    /// With the uuid of the firmware.
    #[must_use]
    pub(crate) fn with_uuid(self, uuid: Option<&str>) -> Self {
        let machine = uuid.map(str::to_ascii_lowercase).filter(|uuid| !is_of_no_machine(uuid));
        Self { machine, ..self }
    }

    /// With the id of the present boot.
    #[must_use]
    pub(crate) fn with_boot(self, boot: Option<String>) -> Self {
        Self { boot, ..self }
    }

    pub(crate) fn kin(&self, other: &Self) -> Kin {
        let is_one_address = self.address == other.address;
        if is_one_address && self.endpoint == other.endpoint {
            return Kin::One;
        }
        if let (Some(one), Some(two)) = (&self.boot, &other.boot) {
            return if one == two { Kin::One } else { Kin::Two };
        }
        match (&self.machine, &other.machine) {
            (Some(one), Some(two)) if one != two => Kin::Two,
            _ if is_one_address => Kin::One,
            (Some(_), Some(_)) => Kin::Perhaps,
            _ => Kin::Two,
        }
    }

    /// The names of the locks that a writer takes, in this order: by address, and by the machine where it is known.
    pub(crate) fn locks(&self) -> (String, Option<String>) {
        let machine = self.machine.as_ref().or(self.boot.as_ref());
        (format!("address {}", self.address), machine.map(|machine| format!("machine {machine}")))
    }
}

/// An address in one spelling.
fn address(node: &str) -> String {
    node.parse::<IpAddr>()
        .map_or_else(|_| node.trim_end_matches('.').to_ascii_lowercase(), |address| address.to_string())
}

/// What firmware says whose vendor has given it no uuid: one digit all over, or the sample of AMI's BIOS.
fn is_of_no_machine(uuid: &str) -> bool {
    let mut digits: Vec<char> = uuid.chars().filter(|c| *c != '-').collect();
    digits.dedup();
    digits.len() < 2 || uuid == "03000200-0400-0500-0006-000700080009"
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "5efa4a56-64a7-5a2e-aa32-adc20912775d";

    fn site(node: &str, endpoint: Option<&str>, uuid: Option<&str>, boot: Option<&str>) -> Site {
        Site::new(node, endpoint).with_uuid(uuid).with_boot(boot.map(ToOwned::to_owned))
    }

    #[test]
    fn spellings_of_one_address_are_one() {
        for (one, two) in [("10.0.0.5", "10.0.0.5"), ("fd00::5", "FD00:0:0::5"), ("GPU-1.example", "gpu-1.example.")] {
            assert_eq!(site(one, None, None, None).kin(&site(two, None, None, None)), Kin::One, "{one} {two}");
        }
        assert_eq!(site("10.0.0.5", None, None, None).kin(&site("10.0.0.6", None, None, None)), Kin::Two);
    }

    #[test]
    fn two_addresses_with_one_uuid_are_asked_for_their_boots() {
        let by_ip = |boot| site("10.0.0.5", None, Some(UUID), boot);
        let by_name = |boot| site("gpu-1", None, Some(&UUID.to_uppercase()), boot);
        assert_eq!(by_ip(None).kin(&by_name(None)), Kin::Perhaps);
        assert_eq!(by_ip(Some("a")).kin(&by_name(Some("a"))), Kin::One);
        assert_eq!(by_ip(Some("a")).kin(&by_name(Some("b"))), Kin::Two, "clones that share a uuid");
    }

    #[test]
    fn a_uuid_that_many_machines_have_says_nothing() {
        let junk = ["00000000-0000-0000-0000-000000000000", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"];
        for uuid in junk.into_iter().chain(["03000200-0400-0500-0006-000700080009", ""]) {
            let (one, two) = (site("a", None, Some(uuid), None), site("b", None, Some(uuid), None));
            assert_eq!((one.kin(&two), one.locks().1), (Kin::Two, None), "{uuid}");
        }
    }

    #[test]
    fn one_address_behind_two_endpoints_is_one_machine_unless_they_say_otherwise() {
        let behind = |endpoint, uuid| site("10.0.0.5", Some(endpoint), uuid, None);
        assert_eq!(behind("a", None).kin(&behind("b", None)), Kin::One);
        assert_eq!(behind("a", Some(UUID)).kin(&behind("b", Some(UUID))), Kin::One);
        assert_eq!(behind("a", Some(UUID)).kin(&behind("b", Some("another"))), Kin::Two);
        assert_eq!(behind("a", Some(UUID)).kin(&behind("a", Some("another"))), Kin::One, "the machine was exchanged");
    }
}
